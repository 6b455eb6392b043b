//! Reading a folder's files, each once.

use super::scan::Scan;
use super::set_aside::SetAside;
use super::{FolderWatch, MailboxError, OpenFolder};
use rustix::fs::Dir;
use serde::de::DeserializeOwned;
use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    io,
    marker::PhantomData,
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// The largest file that is read, unless a reader says less. Results of commands are the largest: two outputs of 50 KiB
/// each, escaped.
pub(super) const MAX_FILE: u64 = 4 << 20;
/// A claimed file has this in front of its name.
const CLAIMED: &str = ".claimed-";
/// How many entries of a folder are searched for claims: a reader claims one file at a time.
const MOST_SEARCHED: usize = 100_000;
/// How many pieces of a folder [`Inbox::poll_now`] looks at: its caller waits meanwhile.
const MOST_PIECES: usize = 100;

/// What an inbox reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxConfig {
    /// Only files whose name begins with this and ends with `.json`; the part between is the id.
    pub prefix: String,
    /// The largest file that is accepted, in bytes. Default 4 MiB.
    pub max_bytes: u64,
}

impl InboxConfig {
    /// Files of that prefix.
    pub fn of(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            max_bytes: MAX_FILE,
        }
    }

    fn is_ours(&self, name: &OsStr) -> bool {
        let rest = name.as_bytes().strip_prefix(self.prefix.as_bytes());
        rest.is_some_and(|rest| rest.ends_with(b".json"))
    }
}

/// A folder's files, one after the other, oldest names first. Each state of a file is delivered once.
///
/// The folder is the one that was there when it was opened, and nobody who writes in it can lead the reader out of it,
/// make it wait, or make it take more than a bounded amount of memory.
#[derive(Debug)]
pub struct Inbox<T> {
    watch: FolderWatch,
    config: InboxConfig,
    ready: VecDeque<OsString>,
    scan: Scan,
    set_aside: SetAside,
    gave_way: bool,
    of: PhantomData<fn() -> T>,
}

/// A file's content, and the file.
#[derive(Debug)]
pub struct Item<T> {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub value: T,
    /// The bytes that were read; `value` is what they say.
    pub bytes: Vec<u8>,
    folder: OpenFolder,
    claimed: bool,
}

impl<T> Item<T> {
    /// Renames it, so that a reader that starts later knows that it was begun. Fails if somebody else was first.
    pub fn claim(mut self) -> Result<Self, MailboxError> {
        let claimed = format!("{CLAIMED}{}", self.name);
        let renamed = self
            .folder
            .rename(self.name.as_ref(), &self.folder, claimed.as_ref());
        renamed.map_err(MailboxError::io("claim", self.folder.path().join(&self.name)))?;
        self.claimed = true;
        Ok(self)
    }

    /// Removes the file: it was acted on. A file that is gone already is fine, and so is one that somebody has put a
    /// folder in the place of: that is found as something new.
    pub fn done(self) -> Result<(), MailboxError> {
        let name = if self.claimed {
            format!("{CLAIMED}{}", self.name)
        } else {
            self.name
        };
        match self.folder.remove(name.as_ref()) {
            Ok(()) => Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::IsADirectory
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(MailboxError::io("remove", self.folder.path().join(name))(error)),
        }
    }
}

impl<T: DeserializeOwned> Inbox<T> {
    /// Watches a folder. Files that are there are delivered first, those that a former reader had claimed too.
    pub fn open(folder: &Path, config: InboxConfig) -> Result<Self, MailboxError> {
        Self::open_on(FolderWatch::start(folder)?, config)
    }

    /// As [`open`](Self::open), on a watch that was begun before ([`FolderWatch::start_all`]).
    pub fn open_on(watch: FolderWatch, config: InboxConfig) -> Result<Self, MailboxError> {
        let inbox = Self {
            watch,
            config,
            ready: VecDeque::new(),
            scan: Scan::default(),
            set_aside: SetAside::default(),
            gave_way: false,
            of: PhantomData,
        };
        inbox.take_back_claims()?;
        Ok(inbox)
    }

    /// The folder, to write answers into the very one that is read.
    pub fn folder(&self) -> &OpenFolder {
        self.watch.folder()
    }

    /// The next file. A file that can't be used is set aside and told as an error; the next call goes on.
    ///
    /// Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Item<T>, MailboxError> {
        loop {
            while let Some(name) = self.ready.pop_front() {
                if let Some(item) = self.read(&name)? {
                    return Ok(item);
                }
            }
            // Whoever keeps the folder busy must not keep the caller from all else, such as being told to stop. Noted before,
            // since a caller may drop this each time.
            if !self.gave_way {
                self.gave_way = true;
                tokio::task::yield_now().await;
            }
            if !self.scan.is_under_way() {
                self.watch.changed().await;
            }
            self.look()?;
        }
    }

    /// The next file that is there now; `None` when there is none.
    pub fn poll_now(&mut self) -> Result<Option<Item<T>>, MailboxError> {
        // A round that has begun may have missed what came since.
        let enough = self.scan.rounds() + if self.scan.is_mid_round() { 2 } else { 1 };
        for _ in 0..MOST_PIECES {
            while let Some(name) = self.ready.pop_front() {
                if let Some(item) = self.read(&name)? {
                    return Ok(Some(item));
                }
            }
            if self.scan.rounds() >= enough && !self.scan.is_under_way() {
                break;
            }
            self.look()?;
        }
        Ok(None)
    }

    fn take_back_claims(&self) -> Result<(), MailboxError> {
        let folder = self.watch.folder();
        let failed = |error: rustix::io::Errno| MailboxError::io("read", folder.path())(error.into());
        let mut dir = Dir::read_from(folder.fd()).map_err(failed)?;
        for _ in 0..MOST_SEARCHED {
            let Some(entry) = dir.read() else { break };
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let original = name.as_bytes().strip_prefix(CLAIMED.as_bytes());
            let original = original.map(OsStr::from_bytes);
            if let Some(original) = original.filter(|original| self.config.is_ours(original)) {
                // Nobody but a reader makes such files, unless to be in the way.
                let _ = folder.rename(name, folder, original);
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), MailboxError> {
        self.gave_way = false;
        let mut found = self
            .scan
            .piece(self.watch.folder(), |name| self.config.is_ours(name))?;
        found.sort_by(|a, b| natural(a).cmp(&natural(b)));
        self.ready.extend(found);
        Ok(())
    }

    fn read(&mut self, name: &OsStr) -> Result<Option<Item<T>>, MailboxError> {
        let folder = self.watch.folder();
        let mut reject = |reason: &str| self.set_aside.put(folder, name, reason);
        let Some(text) = name.to_str() else {
            return Err(reject("its name is not UTF-8"));
        };
        let bytes = match folder.read(name, self.config.max_bytes) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(MailboxError::Rejected { reason, .. }) => return Err(reject(&reason)),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(Item {
                name: text.to_owned(),
                value,
                bytes,
                folder: folder.clone(),
                claimed: false,
            })),
            Err(error) => Err(reject(&format!("it can't be understood: {error}"))),
        }
    }
}

/// `stream-9.json` comes before `stream-10.json`.
fn natural(name: &OsStr) -> (usize, &[u8]) {
    let name = name.as_bytes();
    let digits = name
        .iter()
        .rev()
        .skip_while(|b| !b.is_ascii_digit())
        .take_while(|b| b.is_ascii_digit())
        .count();
    (if digits == 0 { 0 } else { name.len() }, name)
}
