//! The files that a run is given besides its input: skills and memory.
//!
//! They are mounted read-only by whoever started the run, so links in them are followed (a mounted ConfigMap consists of
//! links). Nothing that a model says is ever opened here.

use crate::agent::prompt::SkillText;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest file that is read: the cap of a pack's content.
const MAX_FILE: u64 = 512 * 1024;
/// Most skills that are read.
const MAX_SKILLS: usize = 256;

/// A given file that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GivenFileError {
    /// It can't be read.
    #[error("read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is larger than allowed.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// There are too many.
    #[error("{path} holds more than {MAX_SKILLS} skills")]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// All skills: `<folder>/<pack>/<name>.md`, and `<folder>/<name>.md`; hidden files are left alone. No folder, no skills.
pub(crate) fn read_skills(folder: &Path) -> Result<Vec<SkillText>, GivenFileError> {
    let mut skills = Vec::new();
    for (name, path) in entries(folder)? {
        if path.is_dir() {
            for (file, path) in entries(&path)? {
                add(&mut skills, &name, &file, &path)?;
            }
        } else {
            add(&mut skills, "", &name, &path)?;
        }
        if skills.len() > MAX_SKILLS {
            return Err(GivenFileError::TooMany {
                path: folder.to_owned(),
            });
        }
    }
    skills.sort();
    Ok(skills)
}

/// The memory; `None` when there is no such file.
pub(crate) fn read_memory(path: &Path) -> Result<Option<String>, GivenFileError> {
    read(path)
}

fn add(skills: &mut Vec<SkillText>, pack: &str, file: &str, path: &Path) -> Result<(), GivenFileError> {
    if let Some(content) = read(path)? {
        skills.push(SkillText {
            pack: pack.to_owned(),
            name: file.strip_suffix(".md").unwrap_or(file).to_owned(),
            content,
        });
    }
    Ok(())
}

/// Names and paths of what is not hidden, sorted by name.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, GivenFileError> {
    let fail = |source| GivenFileError::Read {
        path: folder.to_owned(),
        source,
    };
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut all = Vec::new();
    for entry in listing {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            all.push((name, entry.path()));
        }
    }
    all.sort();
    Ok(all)
}

/// A regular file's text; `None` when there is no such file, or something else in its place.
fn read(path: &Path) -> Result<Option<String>, GivenFileError> {
    let fail = |source| GivenFileError::Read {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Ok(about) if about.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(GivenFileError::TooLarge {
            path: path.to_owned(),
            limit: MAX_FILE,
        });
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_are_found_sorted_by_pack_and_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (path, text) in [
            ("b/x.md", "bx"),
            ("a/y.md", "ay"),
            ("top.md", "t"),
            (".hidden", "no"),
            ("b/.x", "no"),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        // As a mounted ConfigMap has it.
        std::os::unix::fs::symlink(root.join("b/x.md"), root.join("a/linked.md")).unwrap();
        let found: Vec<_> = read_skills(root)
            .unwrap()
            .into_iter()
            .map(|s| format!("{}/{}={}", s.pack, s.name, s.content))
            .collect();
        assert_eq!(found, ["/top=t", "a/linked=bx", "a/y=ay", "b/x=bx"]);
        assert_eq!(read_skills(&root.join("none")).unwrap(), []);
    }

    #[test]
    fn a_file_over_the_cap_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("MEMORY.md");
        assert_eq!(read_memory(&path).unwrap(), None);
        fs::write(&path, vec![b'x'; usize::try_from(MAX_FILE).unwrap() + 1]).unwrap();
        assert!(matches!(read_memory(&path), Err(GivenFileError::TooLarge { .. })));
    }
}
