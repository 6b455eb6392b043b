//! The root that a program sees: built beside the old one, then entered.

use super::idmap;
use super::mount::{self, Memory, NO_LINKS, Owner, attach};
use super::outcome::{During, SetupError, Step};
use super::plan::{Access, Mount, MountKind};
use super::sys::{self, MountChange};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat2, symlinkat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, UnmountFlags, unmount};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

/// The root itself holds folders to mount on, links and small texts, nothing else.
const ROOT_BYTES: u64 = 1 << 20;
/// How many of them.
const ROOT_FILES: u64 = 1024;
/// How many segments of shared memory a program may have.
const SHM_FILES: u64 = 4096;
/// What is bound from the machine's `/dev`.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// What is a link there.
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// A root that is being built.
#[derive(Debug)]
pub(super) struct Root<'a> {
    dir: OwnedFd,
    /// `/proc` of the new process ids.
    proc: &'a OwnedFd,
    /// Who the program is on the machine.
    owner: Owner,
    /// A map for each owner whose files are shown as the program's own.
    maps: BTreeMap<Owner, OwnedFd>,
}

impl<'a> Root<'a> {
    /// An empty one, into which these are to come. It lies over the old root, where nothing reaches it but this value, and
    /// hides nothing.
    pub(super) fn new(proc: &'a OwnedFd, owner: Owner, mounts: &[Mount]) -> Result<Self, SetupError> {
        // First: a process over whose root something lies counts as one with another root, which makes no user namespaces.
        let maps = maps(proc, owner, mounts)?;
        let memory = Memory {
            bytes: ROOT_BYTES,
            files: ROOT_FILES,
            mode: 0o755,
            owner: (
                rustix::process::geteuid().as_raw(),
                rustix::process::getegid().as_raw(),
            ),
        };
        let make = || {
            let dir = memory.make(MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
            attach(&dir, mount::source(Path::new("/"))?)?;
            io::Result::Ok(dir)
        };
        Ok(Self {
            dir: make().during(Step::Root)?,
            proc,
            owner,
            maps,
        })
    }

    /// Adds what the plan says.
    pub(super) fn add(&self, mount: &Mount) -> Result<(), SetupError> {
        let at = mount.at.as_path();
        match &mount.kind {
            MountKind::Bind {
                from,
                access,
                exec,
                owner,
                optional,
            } => {
                let source = match mount::source(from) {
                    Err(error) if *optional && is_missing(&error) => return Ok(()),
                    source => source.with(Step::Mount, from)?,
                };
                let tree = mount::view(&source, bind_flags(*access, *exec)).with(Step::Mount, from)?;
                if let Some(owner) = *owner {
                    self.map_owner(&tree, owner).with(Step::IdMap, from)?;
                }
                self.show(&tree, at)
            }
            MountKind::Memory { bytes, files, mode } => {
                self.memory(at, *bytes, *files, *mode, MountAttrFlags::empty())
            }
            MountKind::Proc => self
                .folder(at)
                .and_then(|place| attach(self.proc, place))
                .with(Step::Proc, at),
            MountKind::Devices { shm_bytes } => self.devices(at, *shm_bytes),
            MountKind::Link { to } => self.link(at, to).with(Step::Mount, at),
            MountKind::Text { text } => self.text(at, text).with(Step::Mount, at),
            MountKind::Empty => self.memory(at, 1, 1, 0o555, MountAttrFlags::MOUNT_ATTR_RDONLY),
        }
    }

    /// Makes it the root of this process, and lets go of the old one.
    pub(super) fn enter(self) -> Result<(), SetupError> {
        let flags = MountAttrFlags::MOUNT_ATTR_RDONLY;
        let change = MountChange {
            set: u64::from(flags.bits()),
            recursive: false,
            owners: None,
        };
        sys::change_mount(&self.dir, change).during(Step::Pivot)?;
        rustix::process::fchdir(&self.dir).during(Step::Pivot)?;
        rustix::process::pivot_root(".", ".").during(Step::Pivot)?;
        // The old root now lies over the new one.
        unmount(".", UnmountFlags::DETACH).during(Step::Pivot)?;
        rustix::process::chdir("/").during(Step::Pivot)
    }

    fn map_owner(&self, tree: &OwnedFd, on_disk: Owner) -> io::Result<()> {
        match self.maps.get(&on_disk) {
            Some(map) => mount::map_owners(tree, map.as_fd()),
            None => Err(Errno::INVAL.into()),
        }
    }

    /// Shows a view of a file or folder at a place of the same kind.
    fn show(&self, tree: &OwnedFd, at: &Path) -> Result<(), SetupError> {
        let show = || {
            let kind = FileType::from_raw_mode(fstat(tree)?.st_mode);
            let place = if kind.is_dir() {
                self.folder(at)?
            } else {
                self.file(at)?
            };
            attach(tree, place)
        };
        show().with(Step::Mount, at)
    }

    fn memory(
        &self,
        at: &Path,
        bytes: u64,
        files: u64,
        mode: u32,
        flags: MountAttrFlags,
    ) -> Result<(), SetupError> {
        let owner = self.owner;
        let memory = Memory {
            bytes,
            files,
            mode,
            owner,
        };
        let make = || attach(memory.make(flags)?, self.folder(at)?);
        make().with(Step::Mount, at)
    }

    fn devices(&self, at: &Path, shm_bytes: u64) -> Result<(), SetupError> {
        for name in DEVICES {
            let from = Path::new("/dev").join(name);
            let show = || {
                let tree = mount::view(&mount::source(&from)?, MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
                attach(tree, self.file(&at.join(name))?)
            };
            show().with(Step::Devices, &from)?;
        }
        for (name, to) in DEVICE_LINKS {
            let at = at.join(name);
            self.link(&at, Path::new(to)).with(Step::Devices, &at)?;
        }
        let noexec = MountAttrFlags::MOUNT_ATTR_NOEXEC;
        self.memory(&at.join("shm"), shm_bytes, SHM_FILES, 0o1777, noexec)
    }

    fn link(&self, at: &Path, to: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(at)?;
        Ok(symlinkat(to, parent, name)?)
    }

    fn text(&self, at: &Path, text: &str) -> io::Result<()> {
        let (parent, name) = self.parent(at)?;
        let mut file = std::fs::File::from(create(&parent, name)?);
        io::Write::write_all(&mut file, text.as_bytes())
    }

    /// A folder at this place, made when it is missing.
    fn folder(&self, at: &Path) -> io::Result<OwnedFd> {
        let mut dir = open(self.dir.as_fd(), OsStr::new("."), OFlags::DIRECTORY)?;
        for name in names(at) {
            let name = name?;
            dir = match open(dir.as_fd(), name, OFlags::DIRECTORY) {
                Err(Errno::NOENT) => {
                    mkdirat(&dir, name, Mode::from_raw_mode(0o755))?;
                    open(dir.as_fd(), name, OFlags::DIRECTORY)?
                }
                opened => opened?,
            };
        }
        Ok(dir)
    }

    /// A file at this place that something can be mounted on, made when it is missing.
    fn file(&self, at: &Path) -> io::Result<OwnedFd> {
        let (parent, name) = self.parent(at)?;
        match open(parent.as_fd(), name, OFlags::empty()) {
            Err(Errno::NOENT) => {
                drop(create(&parent, name)?);
                Ok(open(parent.as_fd(), name, OFlags::empty())?)
            }
            opened => Ok(opened?),
        }
    }

    fn parent<'p>(&self, at: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
        let name = at.file_name().ok_or(Errno::INVAL)?;
        let parent = at.parent().ok_or(Errno::INVAL)?;
        Ok((self.folder(parent)?, name))
    }
}

/// A map for each owner whose files are to be shown as the program's own.
fn maps(proc: &OwnedFd, shown: Owner, mounts: &[Mount]) -> Result<BTreeMap<Owner, OwnedFd>, SetupError> {
    let mut maps = BTreeMap::new();
    for mount in mounts {
        let MountKind::Bind {
            from,
            owner: Some(on_disk),
            ..
        } = &mount.kind
        else {
            continue;
        };
        if !maps.contains_key(on_disk) {
            let made = idmap::namespace(proc, *on_disk, shown).with(Step::IdMap, from)?;
            maps.insert(*on_disk, made);
        }
    }
    Ok(maps)
}

/// The names of an absolute path; a way up has no place in it.
fn names(path: &Path) -> impl Iterator<Item = io::Result<&OsStr>> {
    path.components().filter_map(|component| match component {
        Component::RootDir => None,
        Component::Normal(name) => Some(Ok(name)),
        Component::Prefix(_) | Component::CurDir | Component::ParentDir => Some(Err(Errno::INVAL.into())),
    })
}

/// Opens a place of the new root as such, following no link.
fn open(dir: impl AsFd, name: &OsStr, kind: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC | kind;
    openat2(dir, name, flags, Mode::empty(), NO_LINKS | ResolveFlags::BENEATH)
}

fn create(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(
        parent,
        name,
        flags,
        Mode::from_raw_mode(0o444),
    )?)
}

fn bind_flags(access: Access, exec: bool) -> MountAttrFlags {
    let access = match access {
        Access::ReadOnly => MountAttrFlags::MOUNT_ATTR_RDONLY,
        Access::ReadWrite => MountAttrFlags::empty(),
    };
    let exec = if exec {
        MountAttrFlags::empty()
    } else {
        MountAttrFlags::MOUNT_ATTR_NOEXEC
    };
    access | exec | MountAttrFlags::MOUNT_ATTR_NODEV
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
