//! Reading a folder's files, each once.

use super::{FolderWatch, MailboxError};
use rustix::fs::{Mode, OFlags};
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, Read},
    marker::PhantomData,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The largest file that is read, unless a reader says less. Results of commands are the largest: two outputs of 50 KiB
/// each, escaped.
pub(super) const MAX_FILE: u64 = 4 << 20;
/// A claimed file has this in front of its name.
const CLAIMED: &str = ".claimed-";

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
}

/// Which state of which file was delivered; a file that is replaced is delivered again.
type Seen = (u64, i64, i64, u64);

/// A folder's files, one after the other, oldest names first. Each state of a file is delivered once.
#[derive(Debug)]
pub struct Inbox<T> {
    watch: FolderWatch,
    config: InboxConfig,
    ready: VecDeque<String>,
    seen: BTreeMap<String, Seen>,
    looked: bool,
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
    folder: PathBuf,
    claimed: bool,
}

impl<T> Item<T> {
    /// Renames it, so that a reader that starts later knows that it was begun. Fails if somebody else was first.
    pub fn claim(mut self) -> Result<Self, MailboxError> {
        let claimed = self.folder.join(format!("{CLAIMED}{}", self.name));
        fs::rename(self.folder.join(&self.name), &claimed).map_err(MailboxError::io("claim", claimed))?;
        self.claimed = true;
        Ok(self)
    }

    /// Removes the file: it was acted on. A file that is gone already is fine.
    pub fn done(self) -> Result<(), MailboxError> {
        let name = if self.claimed {
            format!("{CLAIMED}{}", self.name)
        } else {
            self.name
        };
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(MailboxError::io("remove", path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
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
            seen: BTreeMap::new(),
            looked: false,
            of: PhantomData,
        };
        inbox.take_back_claims()?;
        Ok(inbox)
    }

    /// The next file. A file that can't be used is set aside and told as an error; the next call goes on.
    ///
    /// Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Item<T>, MailboxError> {
        loop {
            if let Some(name) = self.ready.pop_front() {
                if let Some(item) = self.read(&name)? {
                    return Ok(item);
                }
            } else {
                if self.looked {
                    self.watch.changed().await;
                }
                self.look()?;
            }
        }
    }

    /// The next file that is there now; `None` when there is none.
    pub fn poll_now(&mut self) -> Result<Option<Item<T>>, MailboxError> {
        if self.ready.is_empty() {
            self.look()?;
        }
        while let Some(name) = self.ready.pop_front() {
            if let Some(item) = self.read(&name)? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    fn take_back_claims(&self) -> Result<(), MailboxError> {
        let folder = self.watch.folder();
        for entry in fs::read_dir(folder).map_err(MailboxError::io("read", folder))? {
            let entry = entry.map_err(MailboxError::io("read", folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(original) = name.strip_prefix(CLAIMED).filter(|name| self.is_ours(name)) {
                let path = folder.join(original);
                fs::rename(entry.path(), &path).map_err(MailboxError::io("take back", path))?;
            }
        }
        Ok(())
    }

    fn is_ours(&self, name: &str) -> bool {
        name.strip_prefix(&self.config.prefix)
            .and_then(|rest| rest.strip_suffix(".json"))
            .is_some()
    }

    fn look(&mut self) -> Result<(), MailboxError> {
        let folder = self.watch.folder();
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(MailboxError::io("read", folder))? {
            let entry = entry.map_err(MailboxError::io("read", folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A file that went away meanwhile was taken by somebody else.
            if let (true, Ok(meta)) = (self.is_ours(&name), entry.path().symlink_metadata()) {
                found.insert(name, (meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()));
            }
        }
        self.ready = found
            .iter()
            .filter(|(name, state)| self.seen.get(*name) != Some(state))
            .map(|(n, _)| n.clone())
            .collect();
        self.ready
            .make_contiguous()
            .sort_by(|a, b| natural(a).cmp(&natural(b)));
        self.seen = found;
        self.looked = true;
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<Item<T>>, MailboxError> {
        let folder = self.watch.folder();
        let bytes = match read_whole(&folder.join(name), self.config.max_bytes) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(MailboxError::Rejected { reason, .. }) => return Err(set_aside(folder, name, reason)),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(Item {
                name: name.to_owned(),
                value,
                bytes,
                folder: folder.to_owned(),
                claimed: false,
            })),
            Err(error) => Err(set_aside(
                folder,
                name,
                format!("it can't be understood: {error}"),
            )),
        }
    }
}

/// `stream-9.json` comes before `stream-10.json`.
fn natural(name: &str) -> (usize, &str) {
    let digits = name
        .bytes()
        .rev()
        .skip_while(|b| !b.is_ascii_digit())
        .take_while(u8::is_ascii_digit)
        .count();
    (if digits == 0 { 0 } else { name.len() }, name)
}

/// Reads a regular file of at most `max` bytes, without following a link or waiting for a pipe; `None` when there is no such
/// file.
pub fn read_whole(path: &Path, max: u64) -> Result<Option<Vec<u8>>, MailboxError> {
    let rejected = |reason: &str| MailboxError::Rejected {
        name: path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        reason: reason.to_owned(),
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fs::File::from(fd),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => {
            return Err(rejected("it is not a regular file"));
        }
        Err(error) => return Err(MailboxError::io("open", path)(error.into())),
    };
    let meta = file.metadata().map_err(MailboxError::io("inspect", path))?;
    if !meta.is_file() {
        return Err(rejected("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(MailboxError::io("read", path))?;
    if bytes.len() as u64 > max {
        return Err(rejected(&format!("it is larger than {max} bytes")));
    }
    Ok(Some(bytes))
}

/// Moves a file to `rejected/`, with the reason beside it.
fn set_aside(folder: &Path, name: &str, reason: String) -> MailboxError {
    let rejected = folder.join("rejected");
    let moved = fs::create_dir_all(&rejected)
        .and_then(|()| fs::rename(folder.join(name), rejected.join(name)))
        .and_then(|()| fs::write(rejected.join(format!("{name}.reason")), &reason));
    match moved {
        Ok(()) => MailboxError::Rejected {
            name: name.to_owned(),
            reason,
        },
        Err(source) => MailboxError::Io {
            step: "set aside",
            path: folder.join(name),
            source,
        },
    }
}
