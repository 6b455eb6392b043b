//! Writing files that appear whole.

use super::MailboxError;
use crate::ids::PackName;
use crate::ipc::Layout;
use serde::Serialize;
use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};
use uuid::Uuid;

/// Writes a file under a temporary name in the same folder, then renames it. A reader sees all of it or nothing.
pub fn write_bytes(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), MailboxError> {
    let temporary = folder.join(format!(".{name}.tmp-{}", Uuid::new_v4().simple()));
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(&temporary)?;
        file.write_all(bytes)?;
        fs::rename(&temporary, folder.join(name))
    };
    write().map_err(|source| {
        // The first error is the one that matters; the temporary name is never read by anyone.
        let _ = fs::remove_file(&temporary);
        MailboxError::Io {
            step: "write",
            path: folder.join(name),
            source,
        }
    })
}

/// Writes a value as JSON; see [`write_bytes`].
pub fn write_json<T: Serialize + ?Sized>(folder: &Path, name: &str, value: &T) -> Result<(), MailboxError> {
    let bytes = serde_json::to_vec(value).map_err(|source| MailboxError::Json {
        name: name.to_owned(),
        source,
    })?;
    write_bytes(folder, name, &bytes)
}

/// Makes the folders of a run, for its owner alone. Those that are there stay.
pub fn make_folders(layout: &Layout, packs: &[PackName]) -> Result<(), MailboxError> {
    for folder in Layout::folders(packs) {
        let path = layout.folder(&folder);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(MailboxError::io("make", path))?;
    }
    Ok(())
}
