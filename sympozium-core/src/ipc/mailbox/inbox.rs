//! Reading a folder's files, each once.

use super::scan::Scan;
use super::set_aside::SetAside;
use super::{FolderWatch, MailboxError, OpenFolder};
use rustix::fs::Dir;
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, VecDeque},
    ffi::{OsStr, OsString},
    io,
    marker::PhantomData,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::Duration,
};
use tokio::time::Instant;

/// The largest file that is read, unless a reader says less. Results of commands are the largest: two outputs of 50 KiB
/// each, escaped.
pub(super) const MAX_FILE: u64 = 4 << 20;
/// A claimed file has this in front of its name.
const CLAIMED: &str = ".claimed-";
/// How many entries of a folder are searched for claims: a reader claims one file at a time.
const MOST_SEARCHED: usize = 100_000;
/// How many pieces of a folder [`Inbox::poll_now`] looks at: its caller waits meanwhile.
const MOST_PIECES: usize = 100;
/// How many files may be half written at once; further ones are not waited for.
const MOST_HALF: usize = 64;

/// What an inbox reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxConfig {
    /// Only files whose name begins with this and ends with `.json`; the part between is the id.
    pub prefix: String,
    /// Only the one file that has nothing between; it is looked for by its name, however many others there are. Default:
    /// all.
    pub only_one: bool,
    /// The largest file that is accepted, in bytes. Default 4 MiB.
    pub max_bytes: u64,
    /// How long a file that can't be understood may still become one that can: agents that know nothing of temporary names
    /// write piece by piece. Default: not at all.
    pub patience: Duration,
}

impl InboxConfig {
    /// Files of that prefix.
    pub fn of(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            only_one: false,
            max_bytes: MAX_FILE,
            patience: Duration::ZERO,
        }
    }

    /// The file `<stem>.json`.
    pub fn one(stem: impl Into<String>) -> Self {
        Self {
            only_one: true,
            ..Self::of(stem)
        }
    }

    fn is_ours(&self, name: &OsStr) -> bool {
        let rest = name.as_bytes().strip_prefix(self.prefix.as_bytes());
        rest.is_some_and(|rest| rest.ends_with(b".json") && !(self.only_one && rest != b".json"))
    }

    /// The name of the only file.
    fn name(&self) -> Option<OsString> {
        self.only_one.then(|| format!("{}.json", self.prefix).into())
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
    /// What may be half written, and until when it is waited for the other half.
    half: BTreeMap<OsString, Instant>,
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

impl<T: Default> Item<T> {
    /// The file without what it held, for whoever keeps many.
    #[cfg(feature = "bridge")]
    pub(crate) fn emptied(mut self) -> Self {
        self.value = T::default();
        self.bytes = Vec::new();
        self
    }
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
            half: BTreeMap::new(),
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
            if let Some(item) = self.found()? {
                return Ok(item);
            }
            // Whoever keeps the folder busy must not keep the caller from all else, such as being told to stop. Noted before,
            // since a caller may drop this each time.
            if !self.gave_way {
                self.gave_way = true;
                tokio::task::yield_now().await;
            }
            if !self.scan.is_under_way() {
                self.changed().await;
            }
            self.look()?;
        }
    }

    /// The next of the files that the last look has found; `None` when it is time to look again.
    pub(crate) fn found(&mut self) -> Result<Option<Item<T>>, MailboxError> {
        while let Some(name) = self.ready.pop_front() {
            if let Some(item) = self.read(&name)? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// From now on, what can't be understood is waited for no longer: whoever wrote has ended.
    #[cfg(feature = "bridge")]
    pub(crate) fn lose_patience(&mut self) {
        self.config.patience = Duration::ZERO;
        self.ready.extend(std::mem::take(&mut self.half).into_keys());
    }

    /// Sets a file aside that was read and makes no sense; the error says so.
    #[cfg(feature = "bridge")]
    pub(crate) fn reject(&mut self, item: &Item<T>, reason: &str) -> MailboxError {
        self.set_aside
            .put(self.watch.folder(), item.name.as_ref(), reason)
    }

    /// When the file was last changed, as far as it is still there.
    #[cfg(feature = "bridge")]
    pub(crate) fn changed_at(&self, item: &Item<T>) -> Option<(i128, i128)> {
        let stat = self.watch.folder().stat(item.name.as_ref()).ok()?;
        Some((i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)))
    }

    async fn changed(&self) {
        match self.half.values().min() {
            None => self.watch.changed().await,
            Some(until) => {
                // Both are reasons to look.
                let _ = tokio::time::timeout_at(*until, self.watch.changed()).await;
            }
        }
    }

    /// The next file that is there now; `None` when there is none.
    pub fn poll_now(&mut self) -> Result<Option<Item<T>>, MailboxError> {
        // A round that has begun may have missed what came since.
        let enough = self.scan.rounds() + if self.scan.is_mid_round() { 2 } else { 1 };
        for _ in 0..MOST_PIECES {
            if let Some(item) = self.found()? {
                return Ok(Some(item));
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
        let mut found = match self.config.name() {
            Some(name) => self.scan.one(self.watch.folder(), name),
            None => self
                .scan
                .piece(self.watch.folder(), |name| self.config.is_ours(name))?,
        };
        found.sort_by(|a, b| natural(a).cmp(&natural(b)));
        let now = Instant::now();
        // One that was changed meanwhile is among those already.
        let late = self
            .half
            .iter()
            .filter(|(name, until)| **until <= now && !found.contains(name));
        let late: Vec<OsString> = late.map(|(name, _)| name.clone()).collect();
        self.ready.extend(found);
        self.ready.extend(late);
        Ok(())
    }

    /// Whether a file may be half written, so that it stays for now.
    fn may_be_half(&mut self, name: &OsStr) -> bool {
        if self.config.patience.is_zero() {
            return false;
        }
        let now = Instant::now();
        if let Some(until) = self.half.get(name) {
            return *until > now;
        }
        let room = self.half.len() < MOST_HALF;
        if room {
            self.half.insert(name.to_owned(), now + self.config.patience);
        }
        room
    }

    fn read(&mut self, name: &OsStr) -> Result<Option<Item<T>>, MailboxError> {
        let folder = self.watch.folder().clone();
        let Some(text) = name.to_str() else {
            return Err(self.set_aside.put(&folder, name, "its name is not UTF-8"));
        };
        let read = folder.read(name, self.config.max_bytes);
        let understood = match read {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map(|value| (value, bytes)),
            Ok(None) => {
                self.half.remove(name);
                return Ok(None);
            }
            Err(MailboxError::Rejected { reason, .. }) => {
                return Err(self.set_aside.put(&folder, name, &reason));
            }
            Err(error) => return Err(error),
        };
        match understood {
            Ok((value, bytes)) => {
                self.half.remove(name);
                Ok(Some(Item {
                    name: text.to_owned(),
                    value,
                    bytes,
                    folder,
                    claimed: false,
                }))
            }
            Err(_) if self.may_be_half(name) => Ok(None),
            Err(error) => {
                self.half.remove(name);
                let reason = format!("it can't be understood: {error}");
                Err(self.set_aside.put(&folder, name, &reason))
            }
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
