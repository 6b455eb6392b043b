//! What becomes of files that can't be used: `rejected/` in the same folder, with the reason beside each.

use super::MailboxError;
use super::folder::{OpenFolder, plain, shown};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};

/// How many files of one folder are kept; those after them are removed. People look at a few.
const MOST_KEPT: u32 = 256;
/// The longest reason, in characters: it may quote the file.
const MAX_REASON: usize = 300;

/// Sets files of one folder aside.
#[derive(Debug, Default)]
pub(super) struct SetAside {
    kept: u32,
}

impl SetAside {
    /// Moves a file to `rejected/`, or removes it where that can't be, and returns the error that says so.
    ///
    /// Whoever writes in the folder can have put anything in the way. What can neither be moved nor removed stays there;
    /// it is not read again.
    pub(super) fn put(&mut self, folder: &OpenFolder, name: &OsStr, reason: &str) -> MailboxError {
        let reason = plain(reason, MAX_REASON);
        let moved = self.kept < MOST_KEPT && keep(folder, name, &reason).is_ok();
        if moved {
            self.kept += 1;
        } else {
            let _ = folder.remove(name);
        }
        MailboxError::Rejected {
            name: shown(name),
            reason,
        }
    }
}

fn keep(folder: &OpenFolder, name: &OsStr, reason: &str) -> io::Result<()> {
    let rejected = folder.make("rejected")?;
    folder.rename(name, &rejected, name)?;
    let mut beside = OsString::from(name);
    beside.push(".reason");
    // The reason is told in any case. The name may be too long for it, or something be in the way.
    let written = rejected.create(&beside, reason.as_bytes());
    if written.is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
        let _ = rejected.remove(&beside);
        let _ = rejected.create(&beside, reason.as_bytes());
    }
    Ok(())
}
