//! Looking through a folder of any size, a bounded piece at a time.

use super::MailboxError;
use super::folder::OpenFolder;
use rustix::fs::Dir;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// How many entries of a folder are looked at before others get their turn.
const PIECE: usize = 10_000;
/// How many files are remembered as delivered. As long as so many are there, new ones have to wait.
const MOST_SEEN: usize = 10_000;

/// Which state of which file was delivered; a file that is replaced is delivered again.
type State = (i128, i128, i128, i128);

#[derive(Debug)]
struct Seen {
    state: State,
    /// The round in which it was last there.
    round: u64,
}

/// Goes round and round through a folder, and finds each state of each file once.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where the present round is; `None` between rounds.
    at: Option<Dir>,
    round: u64,
    seen: BTreeMap<OsString, Seen>,
    /// In this round, files had to wait because too many were remembered.
    waiting: bool,
    again: bool,
}

impl Scan {
    /// Whether the next piece should be looked at without waiting for a change.
    pub(super) fn is_under_way(&self) -> bool {
        self.round == 0 || self.at.is_some() || self.again
    }

    /// Whether a round has begun and not ended.
    pub(super) fn is_mid_round(&self) -> bool {
        self.at.is_some()
    }

    /// How many rounds were ended.
    pub(super) fn rounds(&self) -> u64 {
        if self.at.is_some() {
            self.round - 1
        } else {
            self.round
        }
    }

    /// Looks at the next piece of the folder, and returns the files in it that have changed and whose name is `ours`.
    pub(super) fn piece(
        &mut self,
        folder: &OpenFolder,
        ours: impl Fn(&OsStr) -> bool,
    ) -> Result<Vec<OsString>, MailboxError> {
        let failed = |error: Errno| MailboxError::io("read", folder.path())(error.into());
        let mut dir = if let Some(dir) = self.at.take() {
            dir
        } else {
            let dir = Dir::read_from(folder.fd()).map_err(failed)?;
            self.round += 1;
            (self.waiting, self.again) = (false, false);
            dir
        };
        let mut found = Vec::new();
        for _ in 0..PIECE {
            let Some(entry) = dir.read() else {
                self.end_round();
                return Ok(found);
            };
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if ours(name) && self.is_new(folder, name) {
                found.push(name.to_owned());
            }
        }
        self.at = Some(dir);
        Ok(found)
    }

    /// Looks at one file alone, in a round of its own, and returns it when it has changed.
    pub(super) fn one(&mut self, folder: &OpenFolder, name: OsString) -> Vec<OsString> {
        self.round += 1;
        (self.waiting, self.again) = (false, false);
        let found = self.is_new(folder, &name);
        self.end_round();
        if found { vec![name] } else { Vec::new() }
    }

    fn is_new(&mut self, folder: &OpenFolder, name: &OsStr) -> bool {
        // A file that went away meanwhile was taken by somebody else.
        let Ok(stat) = folder.stat(name) else { return false };
        let state = (
            i128::from(stat.st_ino),
            i128::from(stat.st_mtime),
            i128::from(stat.st_mtime_nsec),
            i128::from(stat.st_size),
        );
        let round = self.round;
        if let Some(seen) = self.seen.get_mut(name) {
            seen.round = round;
            return std::mem::replace(&mut seen.state, state) != state;
        }
        if self.seen.len() >= MOST_SEEN {
            self.waiting = true;
            return false;
        }
        self.seen.insert(name.to_owned(), Seen { state, round });
        true
    }

    fn end_round(&mut self) {
        let (before, round) = (self.seen.len(), self.round);
        self.seen.retain(|_, seen| seen.round == round);
        self.again = self.waiting && self.seen.len() < before;
    }
}
