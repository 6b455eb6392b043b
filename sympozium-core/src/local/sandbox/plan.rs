//! What a launcher is told. Made by pure functions in the process that embeds the executor, read by the launcher from a
//! file. Holds no secret.

use crate::confine::{FileRules, SyscallRules};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The user and group that every program is, seen from inside its sandbox.
pub const INSIDE_ID: u32 = 1000;

/// Who a sandbox's processes are on the machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Identity {
    /// The user who starts them, who is not root.
    Own,
    /// A user and a group that nobody else is. Only root can give itself another identity.
    Other {
        /// The user and group id on the machine.
        id: u32,
    },
}

impl Identity {
    /// The user and group that are nobody but the sandbox; `None` when it is the starter's own.
    pub const fn other(self) -> Option<u32> {
        match self {
            Self::Own => None,
            Self::Other { id } => Some(id),
        }
    }
}

/// The process that keeps a run's private file systems: they exist in its mount namespace alone, and die with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HolderPlan {
    /// Who the run's processes will be.
    pub identity: Identity,
    /// The `cgroup.procs` files that it enters first.
    pub cgroups: Vec<PathBuf>,
    /// The file systems in memory that it mounts over empty folders, in this order.
    pub folders: Vec<Folder>,
}

/// A file system in memory, mounted over an empty folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Folder {
    /// The folder. Absolute; it is there.
    pub at: PathBuf,
    /// The most that it holds, in bytes.
    pub bytes: u64,
    /// The most files and folders that it holds.
    pub files: u64,
}

/// One program in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxPlan {
    /// The process id of the run's holder, whose mount namespace (and, unless it is root, user namespace) is entered before
    /// anything is mounted. `None` = those of the launcher itself, for trying what this machine allows.
    pub holder: Option<u32>,
    /// Who the program is on the machine.
    pub identity: Identity,
    /// The `cgroup.procs` files that the launcher enters first.
    pub cgroups: Vec<PathBuf>,
    /// What the program sees, in the order in which it is mounted into an empty root. Parents come first.
    pub mounts: Vec<Mount>,
    /// Limits of each process.
    pub limits: Vec<ResourceLimit>,
    /// System calls that are left to it.
    pub syscalls: SyscallRules,
    /// Files that are left to it by Landlock, where the kernel has it.
    pub files: FileRules,
    /// The program, by its path inside.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it starts, by its path inside.
    pub dir: PathBuf,
}

/// One thing in the sandbox's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// Where it is seen. Absolute.
    pub at: PathBuf,
    /// What it is.
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum MountKind {
    /// A file or folder of the holder's view, with everything that is mounted below it. Never setuid, never a device.
    Bind {
        /// Where it is in the holder's mount namespace.
        from: PathBuf,
        /// What may be done with it.
        access: Access,
        /// Programs in it can be started.
        exec: bool,
        /// The user and group to whom the files belong on the disk, and who are seen as the program's own. `None` = ids stay
        /// as they are. Only for [`Identity::Other`].
        owner: Option<(u32, u32)>,
        /// Left out without an error when it is not there.
        optional: bool,
    },
    /// A file system in memory of its own.
    Memory {
        /// The most that it holds, in bytes.
        bytes: u64,
        /// The most files and folders that it holds.
        files: u64,
        /// Its permissions, such as 0o1777; it belongs to the program's user.
        mode: u32,
    },
    /// `/proc` of the sandbox's own process ids.
    Proc,
    /// `null`, `zero`, `full`, `random`, `urandom`, the links to open files, and `shm` of that many bytes.
    Devices {
        /// The size of `/dev/shm`, in bytes.
        shm_bytes: u64,
    },
    /// A symbolic link.
    Link {
        /// What it points to.
        to: PathBuf,
    },
    /// A small file that can only be read.
    Text {
        /// What it says.
        text: String,
    },
    /// An empty folder that can only be read.
    Empty,
}

/// What may be done with the files of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// They can be read.
    ReadOnly,
    /// They can be read and changed.
    ReadWrite,
}

/// A limit of each process, see setrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceLimit {
    /// Of what.
    pub resource: Resource,
    /// The soft and hard value.
    pub value: u64,
}

/// What a process can have a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    /// Processes and threads of the sandbox's user (`RLIMIT_NPROC`).
    Processes,
    /// Private writable memory, in bytes (`RLIMIT_DATA`).
    Data,
    /// The largest file, in bytes (`RLIMIT_FSIZE`).
    FileSize,
    /// Open files (`RLIMIT_NOFILE`).
    OpenFiles,
    /// A core dump, in bytes (`RLIMIT_CORE`).
    Core,
    /// Bytes in POSIX message queues (`RLIMIT_MSGQUEUE`).
    MessageQueues,
    /// Bytes locked into memory (`RLIMIT_MEMLOCK`).
    Locked,
    /// Queued signals and timers of the sandbox's user (`RLIMIT_SIGPENDING`).
    Signals,
    /// The highest real-time priority (`RLIMIT_RTPRIO`).
    RealTime,
}
