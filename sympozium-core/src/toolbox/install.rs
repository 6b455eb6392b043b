//! Putting this program where other containers find it.

use crate::error::{Classify, Retry};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What the copy may be used for: everybody may execute it, nobody may change it.
const MODE: u32 = 0o555;

/// Why a program could not be installed.
#[derive(Debug, thiserror::Error)]
#[error("install {program} as {target}")]
pub struct InstallError {
    /// The program.
    pub program: PathBuf,
    /// Where it was to go.
    pub target: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl Classify for InstallError {
    fn retry(&self) -> Retry {
        Retry::Backoff
    }

    fn kind(&self) -> &'static str {
        "install"
    }
}

/// Copies a program. Whoever looks sees all of it or nothing, and a copy that is there already stays.
pub fn install(program: &Path, target: &Path) -> Result<(), InstallError> {
    let copied = || {
        if is_installed(program, target)? {
            return Ok(());
        }
        copy(program, target)
    };
    copied().map_err(|source| InstallError {
        program: program.to_owned(),
        target: target.to_owned(),
        source,
    })
}

fn copy(program: &Path, target: &Path) -> io::Result<()> {
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::other("there is no file name in it"))?;
    let temporary = format!(".{}.tmp-{}", name.display(), Uuid::new_v4().simple());
    let temporary = target.with_file_name(temporary);
    let written = write(program, &temporary).and_then(|()| fs::rename(&temporary, target));
    if written.is_err() {
        // The first error is the one that matters; nobody looks for the temporary name.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(program: &Path, temporary: &Path) -> io::Result<()> {
    let mut source = File::open(program)?;
    let mut options = OpenOptions::new();
    let mut target = options.write(true).create_new(true).mode(MODE).open(temporary)?;
    io::copy(&mut source, &mut target)?;
    // Whatever our umask is.
    target.set_permissions(fs::Permissions::from_mode(MODE))
}

/// Whether the same bytes are there with the same mode.
fn is_installed(program: &Path, target: &Path) -> io::Result<bool> {
    let found = match fs::symlink_metadata(target) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let source = File::open(program)?;
    let same = found.is_file()
        && found.permissions().mode() & 0o7777 == MODE
        && found.len() == source.metadata()?.len();
    if !same {
        return Ok(false);
    }
    same_bytes(source, File::open(target)?)
}

fn same_bytes(one: File, other: File) -> io::Result<bool> {
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let read = one.read(&mut left)?;
        let (Some(left), Some(right)) = (left.get(..read), right.get_mut(..read)) else {
            return Ok(false);
        };
        if read == 0 {
            return Ok(true);
        }
        if other.read_exact(right).is_err() || left != right {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_program_is_installed_whole_once_and_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let (program, target) = (folder.path().join("program"), folder.path().join("bin-toolbox"));
        fs::write(&program, vec![7; 200_000]).unwrap();
        install(&program, &target).unwrap();
        let first = fs::metadata(&target).unwrap();
        assert_eq!((first.mode() & 0o7777, first.len()), (MODE, 200_000));
        install(&program, &target).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().ino(), first.ino(), "it stays");
        // The same length, but not the same.
        fs::write(&program, vec![8; 200_000]).unwrap();
        install(&program, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), vec![8; 200_000]);
        assert_eq!(folder.path().read_dir().unwrap().count(), 2);
    }

    #[test]
    fn what_is_in_the_way_is_replaced_and_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("program"), "new").unwrap();
        fs::write(at("victim"), "old").unwrap();
        std::os::unix::fs::symlink(at("victim"), at("target")).unwrap();
        install(&at("program"), &at("target")).unwrap();
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "old");
        assert!(fs::symlink_metadata(at("target")).unwrap().is_file());
        let error = install(&at("program"), &at("missing/target")).unwrap_err();
        assert!(error.to_string().starts_with("install "), "{error}");
        assert!(install(&at("nothing"), &at("target")).is_err());
    }
}
