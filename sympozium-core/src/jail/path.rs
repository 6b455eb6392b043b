//! What a path means, from its text alone. Pure.

use super::JailError;
use rustix::fs::FileType;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The longest path that is looked at, in bytes (`PATH_MAX` of Linux).
const MAX_PATH: usize = 4096;

/// Whether a root may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// A folder that may be used, and the path by which models know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The path by which models know it, such as `/workspace`.
    pub mount: PathBuf,
    /// Where it is. Absolute.
    pub dir: PathBuf,
    /// What may be done.
    pub access: Access,
}

/// A path below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JailPath {
    pub(super) root: usize,
    /// Below the root; without `..`, and empty for the root itself.
    pub(super) below: PathBuf,
    pub(super) shown: String,
}

impl JailPath {
    /// The path as models know it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn io(&self, step: &'static str, source: io::Error) -> JailError {
        JailError::Io {
            step,
            path: self.shown.clone(),
            source,
        }
    }

    pub(super) fn wrong_kind(&self, wanted: &'static str, found: FileType) -> JailError {
        let found = match found {
            FileType::Directory => "it is a directory",
            FileType::RegularFile => "it is a regular file",
            FileType::Symlink => "it is a symbolic link",
            FileType::Fifo => "it is a pipe",
            FileType::Socket => "it is a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "it is a device",
            FileType::Unknown => "it is something unknown",
        };
        JailError::Kind {
            path: self.shown.clone(),
            wanted,
            found: found.to_owned(),
        }
    }
}

/// Finds the root of a path: by its mount, by its real place, or, for a relative path, the first one.
///
/// `..` is taken by the text: `a/../b` is `b`, whatever `a` is. A path that climbs above its root is refused.
pub(super) fn resolve<'a>(roots: impl Iterator<Item = &'a Root>, path: &str) -> Result<JailPath, JailError> {
    let malformed = |why| JailError::Malformed {
        path: path.chars().take(200).collect(),
        why,
    };
    if path.is_empty() {
        return Err(malformed("it is empty"));
    }
    if path.len() > MAX_PATH {
        return Err(malformed("it is longer than 4096 bytes"));
    }
    if path.contains('\0') {
        return Err(malformed("it holds a NUL"));
    }
    let roots: Vec<_> = roots.collect();
    let outside = || JailError::Outside {
        path: path.to_owned(),
        allowed: roots
            .iter()
            .map(|root| root.mount.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    };
    let given = Path::new(path);
    let (index, below) = if given.is_absolute() {
        let clean = normal(Path::new("/"), given).ok_or_else(outside)?;
        let by = |place: fn(&Root) -> &Path| {
            roots
                .iter()
                .enumerate()
                .find_map(|(i, root)| Some((i, clean.strip_prefix(place(root)).ok()?.to_owned())))
        };
        by(|root| &root.mount)
            .or_else(|| by(|root| &root.dir))
            .ok_or_else(outside)?
    } else {
        (0, normal(Path::new(""), given).ok_or_else(outside)?)
    };
    let root = roots.get(index).ok_or_else(outside)?;
    let shown = if below.as_os_str().is_empty() {
        root.mount.clone()
    } else {
        root.mount.join(&below)
    };
    Ok(JailPath {
        root: index,
        below,
        shown: shown.display().to_string(),
    })
}

/// The path without `.` and `..`; `None` when it climbs above `start`.
fn normal(start: &Path, path: &Path) -> Option<PathBuf> {
    let mut clean = start.to_owned();
    let mut depth = 0usize;
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                clean.push(name);
                depth += 1;
            }
            Component::ParentDir => {
                depth = depth.checked_sub(1)?;
                clean.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_by_mount_by_place_or_from_the_first_root() {
        let root = |mount: &str, dir: &str| Root {
            mount: mount.into(),
            dir: dir.into(),
            access: Access::ReadWrite,
        };
        let roots = [
            root("/workspace", "/home/u/project"),
            root("/skills", "/run/x/skills"),
        ];
        for (path, expected) in [
            ("a", Some("/workspace/a")),
            ("./a//b/", Some("/workspace/a/b")),
            ("a/../b", Some("/workspace/b")),
            (".", Some("/workspace")),
            ("/workspace", Some("/workspace")),
            ("/workspace/a", Some("/workspace/a")),
            ("/home/u/project/a", Some("/workspace/a")),
            ("/skills/k.md", Some("/skills/k.md")),
            ("/workspace/../skills/k.md", Some("/skills/k.md")),
            ("..", None),
            ("a/../../b", None),
            ("/workspace/../etc/passwd", None),
            ("/workspacex/a", None),
            ("/etc/passwd", None),
            ("/proc/self/root/etc/passwd", None),
            ("/../etc/passwd", None),
            ("", None),
            ("a\0b", None),
        ] {
            let found = resolve(roots.iter(), path).ok().map(|path| path.shown);
            assert_eq!(found.as_deref(), expected, "{path:?}");
        }
        assert!(resolve(roots.iter(), &"a/".repeat(3000)).is_err());
    }
}
