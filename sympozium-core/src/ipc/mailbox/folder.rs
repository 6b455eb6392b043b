//! A folder that others may write in, opened once. Everything is done beneath it, and no link is followed.

use super::MailboxError;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

const NOT_REGULAR: &str = "it is not a regular file";

/// A folder, opened once: whatever becomes of its path afterwards, this is the folder that is read and written.
#[derive(Debug, Clone)]
pub struct OpenFolder {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    /// Device and inode.
    identity: (i128, i128),
    owner: u32,
}

impl OpenFolder {
    /// Opens a folder; a link in its place is refused.
    pub fn open(path: &Path) -> Result<Self, MailboxError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = || {
            let fd = rustix::fs::open(path, flags, Mode::empty())?;
            let stat = rustix::fs::fstat(&fd)?;
            Ok::<_, Errno>((fd, stat))
        };
        let (fd, stat) = opened().map_err(|error| MailboxError::io("open", path)(error.into()))?;
        Ok(Self {
            fd: Arc::new(fd),
            path: path.to_owned(),
            identity: (i128::from(stat.st_dev), i128::from(stat.st_ino)),
            owner: stat.st_uid,
        })
    }

    /// The path by which it was opened. For messages: something else may be there by now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells folders apart, whatever they are called.
    pub(super) fn identity(&self) -> (i128, i128) {
        self.identity
    }

    /// A path that leads to this very folder as long as it is open, where the system has such paths.
    pub(super) fn magic_path(&self) -> PathBuf {
        let magic = PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()));
        if cfg!(target_os = "linux") && magic.is_dir() {
            magic
        } else {
            self.path.clone()
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What is there by that name; a link is not followed.
    pub(super) fn stat(&self, name: &OsStr) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Reads a regular file of at most `max` bytes, as [`read_whole`] does; `None` when there is no such file.
    pub fn read(&self, name: impl AsRef<OsStr>, max: u64) -> Result<Option<Vec<u8>>, MailboxError> {
        let name = name.as_ref();
        let whole = Wanted {
            folder: self.fd(),
            name,
            owner: Some(self.owner),
        };
        whole.read(max, || self.path.join(name))
    }

    /// Whether anything has that name.
    #[cfg(feature = "bridge")]
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.stat(name.as_ref()).is_ok()
    }

    /// Removes a file that nobody waits for any more.
    #[cfg(feature = "bridge")]
    pub(crate) fn discard(&self, name: &str) -> io::Result<()> {
        self.remove(name.as_ref())
    }

    /// Goes through the names in it, at most so many.
    #[cfg(any(feature = "bridge", feature = "toolbox"))]
    pub(crate) fn names(&self, most: usize, mut each: impl FnMut(&str)) -> io::Result<()> {
        let mut dir = rustix::fs::Dir::read_from(self.fd())?;
        for _ in 0..most {
            let Some(entry) = dir.read() else { break };
            if let Ok(name) = entry?.file_name().to_str() {
                each(name);
            }
        }
        Ok(())
    }

    /// Writes a file under a temporary name, then renames it. A reader sees all of it or nothing.
    ///
    /// Everybody may read it: who may not must be kept away by the folders above, since readers can be another user.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), MailboxError> {
        let temporary = format!(".{name}.tmp-{}", Uuid::new_v4().simple());
        let write = || {
            self.create(temporary.as_ref(), bytes)?;
            self.rename(temporary.as_ref(), self, name.as_ref())
        };
        write().map_err(|source| {
            // The first error is the one that matters; the temporary name is never read by anyone.
            let _ = self.remove(temporary.as_ref());
            MailboxError::io("write", self.path.join(name))(source)
        })
    }

    /// Writes a value as JSON; see [`write`](Self::write).
    pub fn write_json<T: serde::Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<(), MailboxError> {
        let bytes = serde_json::to_vec(value).map_err(|source| MailboxError::Json {
            name: name.to_owned(),
            source,
        })?;
        self.write(name, &bytes)
    }

    /// Opens a regular file to read it and to write at its end; it is made if nothing has that name.
    ///
    /// For what a process writes down for itself: nobody else may read it, and a link in its place is refused.
    pub fn open_log(&self, name: &str) -> Result<File, MailboxError> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = || self.path.join(name);
        let opened = rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(0o600)).map(File::from);
        let file = opened.map_err(|error| MailboxError::io("open", path())(error.into()))?;
        let meta = file.metadata().map_err(MailboxError::io("inspect", path()))?;
        if meta.is_file() {
            return Ok(file);
        }
        Err(MailboxError::Rejected {
            name: shown(name.as_ref()),
            reason: NOT_REGULAR.to_owned(),
        })
    }

    /// A new file; fails if anything has that name.
    pub(super) fn create(&self, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o644);
        let mut file = File::from(rustix::fs::openat(&self.fd, name, flags, mode)?);
        // Whatever our umask is.
        rustix::fs::fchmod(&file, mode)?;
        file.write_all(bytes)
    }

    pub(super) fn rename(&self, name: &OsStr, target: &Self, new: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, name, &target.fd, new)?)
    }

    /// Removes a file, a link or a pipe, but no folder.
    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Opens a folder in it, which is made if nothing has that name.
    pub(super) fn make(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Self {
            fd: Arc::new(fd),
            path: self.path.join(name),
            identity: (i128::from(stat.st_dev), i128::from(stat.st_ino)),
            owner: stat.st_uid,
        })
    }
}

/// Reads a regular file of at most `max` bytes, without following a link or waiting for a pipe; `None` when there is no such
/// file. The folders above it are followed: for a folder that others may write in, see [`OpenFolder::read`].
pub fn read_whole(path: &Path, max: u64) -> Result<Option<Vec<u8>>, MailboxError> {
    let wanted = Wanted {
        folder: CWD,
        name: path.as_os_str(),
        owner: None,
    };
    wanted.read(max, || path.to_owned())
}

/// A file that is about to be read.
struct Wanted<'a> {
    folder: BorrowedFd<'a>,
    name: &'a OsStr,
    /// Whose files may have further names.
    owner: Option<u32>,
}

impl Wanted<'_> {
    fn read(&self, max: u64, path: impl Fn() -> PathBuf) -> Result<Option<Vec<u8>>, MailboxError> {
        let file = match self.open() {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(self.rejected(NOT_REGULAR)),
            Err(Errno::ACCESS | Errno::PERM) => return Err(self.rejected("it may not be read")),
            // Only with a lease on the file, which its writer holds.
            Err(Errno::AGAIN) => return Err(self.rejected("it is locked")),
            Err(error) => return Err(MailboxError::io("open", path())(error.into())),
        };
        let meta = file.metadata().map_err(MailboxError::io("inspect", path()))?;
        if !meta.is_file() {
            return Err(self.rejected(NOT_REGULAR));
        }
        // Whoever can't read a file may still be able to give it a second name, and have us read it for them.
        if meta.nlink() > 1 && self.owner.is_some_and(|owner| owner != meta.uid()) {
            return Err(self.rejected("it is somebody else's file under a second name"));
        }
        let too_large = || self.rejected(&format!("it is larger than {max} bytes"));
        if meta.len() > max {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        file.take(max + 1)
            .read_to_end(&mut bytes)
            .map_err(MailboxError::io("read", path()))?;
        // It may have grown while it was read.
        if bytes.len() as u64 > max {
            return Err(too_large());
        }
        Ok(Some(bytes))
    }

    fn open(&self) -> Result<File, Errno> {
        // Opening a device can have effects, so that is not even tried.
        let stat = rustix::fs::statat(self.folder, self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::LOOP);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::openat(self.folder, self.name, flags, Mode::empty()).map(File::from)
    }

    fn rejected(&self, reason: &str) -> MailboxError {
        let name = Path::new(self.name).file_name().unwrap_or_default();
        MailboxError::Rejected {
            name: shown(name),
            reason: reason.to_owned(),
        }
    }
}

/// A name as people may be shown it: whoever chose it could have put anything into it.
pub(super) fn shown(name: &OsStr) -> String {
    plain(&name.to_string_lossy(), 255)
}

/// At most so many characters of a text, none of which controls a terminal.
pub(super) fn plain(text: &str, most: usize) -> String {
    let harmless = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().take(most).map(harmless).collect()
}
