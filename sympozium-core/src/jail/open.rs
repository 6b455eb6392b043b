//! Asking the kernel to open a path beneath a folder, in one of two ways.

use super::JailError;
use super::path::Root;
use rustix::fs::{CWD, Mode, OFlags, RawMode};
use rustix::io::Errno;
use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path},
};

/// How often `openat2` is asked again when something was renamed under it.
const RACES: u32 = 64;

/// How a folder is opened in which other things are to be opened.
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Has the kernel keep a path beneath a folder.
#[cfg(target_os = "linux")]
fn beneath(folder: impl AsFd, below: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    openat2(folder, below, flags, Mode::empty(), resolve)
}

/// Other kernels can't.
#[cfg(not(target_os = "linux"))]
fn beneath(_: impl AsFd, _: &Path, _: OFlags) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// The way in which a path is kept beneath its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beneath {
    /// `openat2` with `RESOLVE_BENEATH`: links that stay inside are followed.
    Kernel,
    /// Component by component with `O_NOFOLLOW`: all links are refused.
    Walk,
}

impl Beneath {
    /// The first way if this kernel (and its seccomp profile) has it, else the second.
    pub fn detect() -> Self {
        match beneath(CWD, Path::new("."), FOLDER) {
            Err(Errno::NOSYS | Errno::PERM) => Self::Walk,
            Ok(_) | Err(_) => Self::Kernel,
        }
    }
}

/// A root, opened once, so that renaming it or a folder above it changes nothing.
#[derive(Debug)]
pub(super) struct OpenRoot {
    pub(super) root: Root,
    fd: OwnedFd,
    way: Beneath,
}

impl OpenRoot {
    pub(super) fn open(root: Root, way: Beneath) -> Result<Self, JailError> {
        let flags = FOLDER | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&root.dir, flags, Mode::empty()).map_err(|error| JailError::Io {
            step: "open",
            path: root.dir.display().to_string(),
            source: error.into(),
        })?;
        Ok(Self { root, fd, way })
    }

    /// Opens what is at a path below the root.
    pub(super) fn open_below(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let below = if below.as_os_str().is_empty() {
            Path::new(".")
        } else {
            below
        };
        match self.way {
            Beneath::Kernel => self.by_kernel(below, flags),
            Beneath::Walk => self.by_walk(below, flags),
        }
    }

    fn by_kernel(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        for _ in 0..RACES {
            match beneath(&self.fd, below, flags) {
                // Something was renamed while the kernel looked; the answer would be unsafe, so it gave none.
                Err(Errno::AGAIN) => {}
                Err(Errno::XDEV) => return Err(escape()),
                other => return Ok(other?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    fn by_walk(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let names: Vec<_> = below.components().filter_map(normal).collect();
        let Some((last, folders)) = names.split_last() else {
            return Ok(rustix::fs::openat(&self.fd, ".", flags, Mode::empty())?);
        };
        let mut at = None;
        for name in folders {
            let next = folder_flags();
            at = Some(
                rustix::fs::openat(at.as_ref().unwrap_or(&self.fd), *name, next, Mode::empty())
                    .map_err(no_link)?,
            );
        }
        let flags = flags | OFlags::NOFOLLOW;
        rustix::fs::openat(at.as_ref().unwrap_or(&self.fd), *last, flags, Mode::empty()).map_err(no_link)
    }

    /// Opens a folder below the root and makes what is missing of it.
    pub(super) fn make_folders(&self, below: &Path) -> io::Result<OwnedFd> {
        let flags = FOLDER;
        let mut so_far = std::path::PathBuf::new();
        let mut at = self.open_below(&so_far, flags)?;
        for name in below.components().filter_map(normal) {
            so_far.push(name);
            at = match self.open_below(&so_far, flags) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
                        Ok(()) | Err(Errno::EXIST) => self.open_below(&so_far, flags)?,
                        Err(error) => return Err(error.into()),
                    }
                }
                other => other?,
            };
        }
        Ok(at)
    }
}

fn normal(component: Component<'_>) -> Option<&std::ffi::OsStr> {
    if let Component::Normal(name) = component {
        Some(name)
    } else {
        None
    }
}

fn folder_flags() -> OFlags {
    FOLDER | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn escape() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "it leads outside of its root")
}

fn no_link(errno: Errno) -> io::Error {
    if errno == Errno::LOOP {
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is a symbolic link, which can't be followed safely here",
        )
    } else {
        errno.into()
    }
}

/// A new file in a folder; fails if there is anything of that name.
pub(super) fn create_new(folder: &OwnedFd, name: &str, mode: RawMode) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(
        folder,
        name,
        flags,
        Mode::from_raw_mode(0o600),
    )?);
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    Ok(file)
}
