//! Writing files that appear whole, and making the folders for them.

use super::{MailboxError, OpenFolder};
use crate::ids::PackName;
use crate::ipc::Layout;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use serde::Serialize;
use std::{fs, io, os::unix::fs::DirBuilderExt, path::Path};

/// Writes a file under a temporary name in the same folder, then renames it. A reader sees all of it or nothing.
///
/// To write several times, or where others could put another folder in its place, see [`OpenFolder::write`].
pub fn write_bytes(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), MailboxError> {
    OpenFolder::open(folder)?.write(name, bytes)
}

/// Writes a value as JSON; see [`write_bytes`].
pub fn write_json<T: Serialize + ?Sized>(folder: &Path, name: &str, value: &T) -> Result<(), MailboxError> {
    OpenFolder::open(folder)?.write_json(name, value)
}

/// Makes the folders of a run for one user: whoever makes them also reads and writes all. Those that are there stay.
pub fn make_folders(layout: &Layout, packs: &[PackName]) -> Result<(), MailboxError> {
    make_folders_for(layout, packs, None)
}

/// Makes the folders of a run, of which those that the agent or an executor writes in belong to that user and group.
///
/// Everybody may read them: the folder above all must be private, or not be there for others.
pub fn make_folders_for(layout: &Layout, packs: &[PackName], owner: Option<u32>) -> Result<(), MailboxError> {
    for folder in Layout::folders(packs) {
        let path = layout.folder(&folder);
        let owner = owner.filter(|_| folder.agent_writes());
        make(&path, owner).map_err(MailboxError::io("make", path))?;
    }
    Ok(())
}

fn make(path: &Path, owner: Option<u32>) -> io::Result<()> {
    if let Some(above) = path.parent().filter(|above| !above.exists()) {
        make(above, None)?;
    }
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    // Whatever our umask is.
    rustix::fs::fchmod(&folder, Mode::from_raw_mode(0o755))?;
    if let Some(owner) = owner {
        rustix::fs::fchown(&folder, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)))?;
    }
    Ok(())
}
