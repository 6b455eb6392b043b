//! File systems and parts of the machine's, as mounts that are not seen anywhere yet.

use super::sys::{self, MountChange};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Opens without following any link: what a program in a sandbox can write, it can replace by a link.
pub(super) const NO_LINKS: ResolveFlags = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);

/// Who owns a new file system: a user and a group.
pub(super) type Owner = (u32, u32);

/// A file system in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) bytes: u64,
    pub(super) files: u64,
    pub(super) mode: u32,
    pub(super) owner: Owner,
}

impl Memory {
    /// Makes it.
    pub(super) fn make(self, flags: MountAttrFlags) -> io::Result<OwnedFd> {
        // Zero would mean no limit.
        let (bytes, files) = (self.bytes.max(1), self.files.max(1));
        new(
            "tmpfs",
            &[
                ("size", &bytes.to_string()),
                ("nr_inodes", &files.to_string()),
                ("mode", &format!("{:o}", self.mode)),
                ("uid", &self.owner.0.to_string()),
                ("gid", &self.owner.1.to_string()),
            ],
            flags,
        )
    }
}

/// `/proc` of the process ids of this process's namespace.
pub(super) fn processes() -> io::Result<OwnedFd> {
    let flags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
    new("proc", &[], flags)
}

fn new(kind: &str, options: &[(&str, &str)], flags: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        fsconfig_set_string(context.as_fd(), *name, *value)?;
    }
    fsconfig_create(context.as_fd())?;
    let flags = flags | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)?)
}

/// A file or folder that is there already, without following links.
pub(super) fn source(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat2(
        CWD,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        NO_LINKS,
    )?)
}

/// A second view of a file or folder, with everything that is mounted below it, held to these flags and by these owners.
pub(super) fn view(source: &OwnedFd, flags: MountAttrFlags) -> io::Result<OwnedFd> {
    let how = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(source.as_fd(), "", how)?;
    let flags = flags | MountAttrFlags::MOUNT_ATTR_NOSUID;
    let change = MountChange {
        set: u64::from(flags.bits()),
        recursive: true,
        owners: None,
    };
    sys::change_mount(&tree, change)?;
    Ok(tree)
}

/// Shows the files of a view under other owners.
pub(super) fn map_owners(tree: &OwnedFd, owners: BorrowedFd<'_>) -> io::Result<()> {
    let change = MountChange {
        set: 0,
        recursive: true,
        owners: Some(owners),
    };
    sys::change_mount(tree, change)
}

/// Shows a mount at an opened place.
pub(super) fn attach(mount: impl AsFd, place: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount.as_fd(), "", place.as_fd(), "", flags)?)
}
