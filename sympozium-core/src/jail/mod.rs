//! Opening files below a few folders and nowhere else, whatever the path looks like and whoever changes it meanwhile.
//!
//! Paths come from a model, so they are hostile. Every path is opened by the kernel beneath its root
//! (`openat2` with `RESOLVE_BENEATH`), or, where that call is missing, component by component without following
//! links. A symbolic link inside a root that stays inside is followed by the first way and refused by the second.
//!
//! What is refused besides: everything that is not a regular file (devices, pipes and sockets could block or act), and
//! files with several names (a hard link may be another name of a file outside).
//!
//! Entry type: [`Jail`].

mod open;
mod path;

pub use open::Beneath;
pub use path::{Access, JailPath, Root};

use crate::error::{Classify, Retry};
use open::OpenRoot;
use rustix::fs::{AtFlags, Dir, FileType, OFlags};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

/// The most bytes that are read of one file at once.
pub const MAX_READ: u64 = 1 << 20;
/// The most entries of a folder that are listed.
pub const MAX_ENTRIES: usize = 2_000;

/// Why a path could not be used. The sentences are for the model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JailError {
    /// The path is not below any root.
    #[error("{path:?} is outside of what may be used; allowed are {allowed}")]
    Outside {
        /// As it was given.
        path: String,
        /// The roots.
        allowed: String,
    },
    /// The path can't be a path.
    #[error("{path:?} is not a usable path: {why}")]
    Malformed {
        /// As it was given, cut.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The root may not be written to.
    #[error("{path} is read-only")]
    ReadOnly {
        /// The path.
        path: String,
    },
    /// It is not what the operation is for.
    #[error("{path} is not a {wanted}: {found}")]
    Kind {
        /// The path.
        path: String,
        /// `regular file` or `directory`.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// The system said no.
    #[error("{step} {path}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// The path.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Classify for JailError {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Outside { .. } => "outside",
            Self::Malformed { .. } => "malformed",
            Self::ReadOnly { .. } => "read-only",
            Self::Kind { .. } => "kind",
            Self::Io { .. } => "io",
        }
    }
}

/// A few folders, each open, and nothing else.
#[derive(Debug)]
pub struct Jail {
    roots: Vec<OpenRoot>,
}

/// Part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The bytes from the offset on.
    pub bytes: Vec<u8>,
    /// The size of the whole file.
    pub size: u64,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes.
    pub size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A folder.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

impl EntryKind {
    /// The word for it in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "dir",
            Self::File => "file",
            Self::Link => "link",
            Self::Other => "other",
        }
    }
}

impl Jail {
    /// Opens the roots. The first one is where relative paths begin.
    pub fn open(roots: Vec<Root>) -> Result<Self, JailError> {
        Self::open_with(roots, Beneath::detect())
    }

    /// Opens the roots and resolves in a given way (tests run both).
    pub fn open_with(roots: Vec<Root>, way: Beneath) -> Result<Self, JailError> {
        roots
            .into_iter()
            .map(|root| OpenRoot::open(root, way))
            .collect::<Result<_, _>>()
            .map(|roots| Self { roots })
    }

    /// Finds the root of a path. Looks at the text alone.
    pub fn resolve(&self, path: &str) -> Result<JailPath, JailError> {
        path::resolve(self.roots.iter().map(|open| &open.root), path)
    }

    /// Reads a regular file from `offset` on, at most `limit` bytes and at most [`MAX_READ`].
    pub fn read(&self, path: &JailPath, offset: u64, limit: u64) -> Result<Content, JailError> {
        let mut file = self.open_file(path)?;
        let io = |step| {
            move |source| JailError::Io {
                step,
                path: path.shown.clone(),
                source,
            }
        };
        let size = file.metadata().map_err(io("inspect"))?.len();
        file.seek(SeekFrom::Start(offset)).map_err(io("read"))?;
        let mut bytes = Vec::new();
        file.take(limit.min(MAX_READ))
            .read_to_end(&mut bytes)
            .map_err(io("read"))?;
        Ok(Content { bytes, size })
    }

    /// A regular file with one name, opened for reading.
    pub fn open_file(&self, path: &JailPath) -> Result<File, JailError> {
        let root = self.root(path)?;
        // Without NONBLOCK, opening a pipe would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(
            root.open_below(&path.below, flags)
                .map_err(|e| path.io("open", e))?,
        );
        let found = rustix::fs::fstat(&file).map_err(|e| path.io("inspect", e.into()))?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile if found.st_nlink <= 1 => Ok(file),
            FileType::RegularFile => {
                let found = "it has several names (hard links), one of which may lie outside; copy it first"
                    .to_owned();
                Err(JailError::Kind {
                    path: path.shown.clone(),
                    wanted: "regular file with one name",
                    found,
                })
            }
            other => Err(path.wrong_kind("regular file", other)),
        }
    }

    /// Writes a file whole: under a temporary name in the same folder, then renamed. Missing folders are made.
    ///
    /// What stood there under that name is replaced, never written through: not a link's target, nor a hard link's other
    /// names. Its permissions are kept if it was a regular file; a new one has 0644.
    pub fn write(&self, path: &JailPath, bytes: &[u8]) -> Result<(), JailError> {
        let root = self.root(path)?;
        if root.root.access == Access::ReadOnly {
            return Err(JailError::ReadOnly {
                path: path.shown.clone(),
            });
        }
        let (Some(parent), Some(name)) = (path.below.parent(), path.below.file_name()) else {
            return Err(path.wrong_kind("regular file", FileType::Directory));
        };
        let folder = root
            .make_folders(parent)
            .map_err(|e| path.io("make the folder of", e))?;
        let mode = match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => match FileType::from_raw_mode(found.st_mode) {
                FileType::RegularFile => found.st_mode & 0o777,
                FileType::Symlink => 0o644,
                other => return Err(path.wrong_kind("regular file", other)),
            },
            Err(_) => 0o644,
        };
        // Without the name, which alone may be as long as names can be.
        let temporary = format!(".tmp-{}", uuid::Uuid::new_v4().simple());
        let written = open::create_new(&folder, &temporary, mode).and_then(|mut file| file.write_all(bytes));
        let renamed = written.and_then(|()| Ok(rustix::fs::renameat(&folder, &temporary, &folder, name)?));
        renamed.map_err(|error| {
            // Nothing may be left behind; the first error is the one that matters.
            let _ = rustix::fs::unlinkat(&folder, &temporary, AtFlags::empty());
            path.io("write", error)
        })
    }

    /// The entries of a folder, sorted, at most [`MAX_ENTRIES`]; and how many there are in all.
    pub fn list(&self, path: &JailPath) -> Result<(Vec<Entry>, usize), JailError> {
        let root = self.root(path)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::DIRECTORY;
        let folder = root
            .open_below(&path.below, flags)
            .map_err(|e| path.io("list", e))?;
        let (mut entries, mut beyond) = (Vec::new(), 0);
        for item in Dir::read_from(&folder).map_err(|e| path.io("list", e.into()))? {
            let item = item.map_err(|e| path.io("list", e.into()))?;
            let name = item.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if entries.len() == MAX_ENTRIES {
                beyond += 1;
                continue;
            }
            // An entry that went away meanwhile is left out.
            let Ok(found) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let kind = match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => EntryKind::Directory,
                FileType::RegularFile => EntryKind::File,
                FileType::Symlink => EntryKind::Link,
                _ => EntryKind::Other,
            };
            let size = u64::try_from(found.st_size).unwrap_or_default();
            entries.push(Entry {
                name: name.to_string_lossy().into_owned(),
                kind,
                size,
            });
        }
        entries.sort();
        let total = entries.len() + beyond;
        Ok((entries, total))
    }

    fn root(&self, path: &JailPath) -> Result<&OpenRoot, JailError> {
        self.roots.get(path.root).ok_or_else(|| JailError::Malformed {
            path: path.shown.clone(),
            why: "it was resolved by another jail",
        })
    }
}
