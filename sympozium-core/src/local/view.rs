//! What one process of a run sees, does and uses in its sandbox. Pure.
//!
//! ```text
//! /usr /bin /lib* /sbin     the system's programs, read-only
//! /etc                      some of the system's settings, and texts of our own
//! /proc /dev /tmp           the sandbox's own
//! /workspace                the run's; a skill that does not mount it works in /work
//! /skills                   documents, read-only; /memory for the agent alone
//! /ipc                      as in a pod: an executor sees its own requests and answers, nothing else
//! /state                    the process's own; no command reaches it
//! /run/sympozium            the program itself, its configuration, for the agent the gateway's socket
//! ```

use super::machine::Machine;
use super::sandbox::{Access, Identity, Mount, MountKind, ResourceLimit, SandboxPlan};
use super::{LocalLimits, LocalProcess, LocalWorkspace};
use crate::confine::{FileRules, SyscallProfile, SyscallRules};
use crate::ids::PackName;
use crate::ipc::{Folder, Layout};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where things are inside. The same as in a pod, where a pod has them.
pub(super) const IPC: &str = "/ipc";
pub(super) const WORKSPACE: &str = "/workspace";
pub(super) const SKILLS: &str = "/skills";
pub(super) const MEMORY: &str = "/memory";
pub(super) const STATE: &str = "/state";
pub(super) const TMP: &str = "/tmp";
/// The folder of an executor whose skill does not mount the workspace.
pub(super) const WORK: &str = "/work";
/// The program itself, its configuration, the gateway's socket.
pub(super) const OURS: &str = "/run/sympozium";

/// The most files and folders in a private `/tmp` or `/work`.
const TMP_FILES: u64 = 100_000;
/// The size of `/dev/shm`, unless `/tmp` is smaller.
const SHM_BYTES: u64 = 64 << 20;

/// Where the program's configuration is inside.
pub(super) fn config() -> PathBuf {
    Path::new(OURS).join("config.json")
}

/// Where the gateway's socket is inside.
pub(super) fn socket() -> PathBuf {
    Path::new(OURS).join("gateway.sock")
}

/// What all sandboxes of one run have in common.
#[derive(Debug, Clone)]
pub(super) struct Enclosure {
    /// The process id of the run's holder.
    pub(super) holder: u32,
    /// Who the run's processes are.
    pub(super) identity: Identity,
    /// The cgroups that they enter.
    pub(super) cgroups: Vec<PathBuf>,
    /// Limits of each process.
    pub(super) process_limits: Vec<ResourceLimit>,
    /// Whether a cgroup bounds all memory of the run together.
    pub(super) memory_is_counted: bool,
    /// The machine.
    pub(super) machine: Machine,
    /// The run's folder, without links in its path.
    pub(super) place: PathBuf,
    /// The workspace; without links in its path when it was given.
    pub(super) workspace: LocalWorkspace,
    /// Whose a workspace that was given is, when the run's processes are somebody else.
    pub(super) workspace_owner: Option<(u32, u32)>,
}

impl Enclosure {
    /// The path by which this program reaches what is only in the holder's mount namespace.
    pub(super) fn held(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix("/").unwrap_or(path);
        Path::new("/proc")
            .join(self.holder.to_string())
            .join("root")
            .join(below)
    }
}

/// One process, and what is known of it.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) enclosure: &'a Enclosure,
    pub(super) process: &'a LocalProcess,
    /// All executors of the run.
    pub(super) packs: &'a [PackName],
    pub(super) limits: &'a LocalLimits,
    /// Whether this process sees the workspace.
    pub(super) sees_workspace: bool,
    /// The program on this machine, without links in its path.
    pub(super) program: &'a Path,
    /// Its first arguments.
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Its configuration on this machine.
    pub(super) config: &'a Path,
    /// The gateway's socket on this machine.
    pub(super) socket: &'a Path,
}

fn bind(at: impl Into<PathBuf>, from: PathBuf, access: Access, exec: bool) -> Mount {
    Mount {
        at: at.into(),
        kind: MountKind::Bind {
            from,
            access,
            exec,
            owner: None,
            optional: false,
        },
    }
}

impl View<'_> {
    pub(super) fn plan(self) -> SandboxPlan {
        let program = program_inside(self.program);
        let mut args = self.args.clone();
        args.extend(["--config".to_owned(), config().display().to_string()]);
        args.push("--end-with-stdin".to_owned());
        SandboxPlan {
            holder: Some(self.enclosure.holder),
            identity: self.enclosure.identity,
            cgroups: self.enclosure.cgroups.clone(),
            mounts: self.mounts(&program),
            limits: self.enclosure.process_limits.clone(),
            syscalls: self.syscalls(),
            files: self.files(),
            program,
            args,
            env: self.env,
            dir: TMP.into(),
        }
    }

    fn syscalls(&self) -> SyscallRules {
        SyscallRules {
            profile: match self.process {
                LocalProcess::Runner => SyscallProfile::Runner,
                LocalProcess::Toolbox(_) => SyscallProfile::Commands,
            },
            uncounted_memory: self.enclosure.memory_is_counted,
        }
    }

    fn mounts(&self, program: &Path) -> Vec<Mount> {
        let place = &self.enclosure.place;
        let mut all = self.enclosure.machine.mounts();
        all.extend(own_mounts(self.limits));
        all.push(self.workspace());
        all.push(bind(SKILLS, place.join("skills"), Access::ReadOnly, false));
        all.push(bind(STATE, self.state(), Access::ReadWrite, false));
        let config_file = self.config.to_owned();
        all.push(bind(config(), config_file, Access::ReadOnly, false));
        all.push(bind(program, self.program.to_owned(), Access::ReadOnly, true));
        match self.process {
            LocalProcess::Runner => {
                all.push(bind(MEMORY, place.join("memory"), Access::ReadOnly, false));
                all.push(bind(socket(), self.socket.to_owned(), Access::ReadOnly, false));
                all.extend(self.mailbox_of_runner());
            }
            LocalProcess::Toolbox(pack) => all.extend(self.mailbox_of_executor(pack)),
        }
        all
    }

    fn state(&self) -> PathBuf {
        state_of(&self.enclosure.place, self.process)
    }

    fn workspace(&self) -> Mount {
        let place = &self.enclosure.place;
        if !self.sees_workspace {
            return Mount {
                at: WORK.into(),
                kind: memory(self.limits),
            };
        }
        match &self.enclosure.workspace {
            LocalWorkspace::Private => bind(WORKSPACE, place.join("workspace"), Access::ReadWrite, true),
            LocalWorkspace::Given { dir, read_only } => {
                given(dir, *read_only, self.enclosure.workspace_owner)
            }
        }
    }

    fn mailbox_of_runner(&self) -> Vec<Mount> {
        let (from, at) = (Layout::new(self.enclosure.place.join("ipc")), Layout::new(IPC));
        let common = Folder::COMMON.into_iter();
        common
            .chain(self.packs.iter().cloned().map(Folder::Tools))
            .map(|folder| {
                let access = if folder.agent_writes() {
                    Access::ReadWrite
                } else {
                    Access::ReadOnly
                };
                bind(at.folder(&folder), from.folder(&folder), access, false)
            })
            .collect()
    }

    fn mailbox_of_executor(&self, pack: &PackName) -> Vec<Mount> {
        let from = Layout::new(self.enclosure.place.join("ipc"));
        let (requests, answers) = (Folder::Tools(pack.clone()), Folder::ApprovalsOf(pack.clone()));
        vec![
            bind(tools_dir(), from.folder(&requests), Access::ReadWrite, false),
            bind(approvals_dir(), from.folder(&answers), Access::ReadOnly, false),
        ]
    }

    fn files(&self) -> FileRules {
        let mut rules = commands(
            &self.enclosure.machine,
            &self.enclosure.workspace,
            self.sees_workspace,
        );
        rules.read.extend([IPC, OURS].map(PathBuf::from));
        rules.write.push(STATE.into());
        match self.process {
            LocalProcess::Runner => {
                rules.read.push(MEMORY.into());
                let ipc = Layout::new(IPC);
                let folders = Folder::COMMON.into_iter();
                let folders = folders.chain(self.packs.iter().cloned().map(Folder::Tools));
                rules.write.extend(
                    folders
                        .filter(Folder::agent_writes)
                        .map(|folder| ipc.folder(&folder)),
                );
            }
            LocalProcess::Toolbox(_) => rules.write.push(tools_dir()),
        }
        rules
    }
}

/// What is left to the commands of an executor: nothing of the mailbox, of its state and of its configuration.
pub(super) fn commands(machine: &Machine, workspace: &LocalWorkspace, sees_workspace: bool) -> FileRules {
    let mut read: Vec<PathBuf> = machine.folders().cloned().collect();
    read.extend(["/etc", "/proc", SKILLS].map(PathBuf::from));
    let mut write = vec![PathBuf::from("/dev"), TMP.into()];
    match (sees_workspace, workspace) {
        (false, _) => write.push(WORK.into()),
        (true, LocalWorkspace::Given { read_only: true, .. }) => read.push(WORKSPACE.into()),
        (true, LocalWorkspace::Private | LocalWorkspace::Given { .. }) => write.push(WORKSPACE.into()),
    }
    FileRules { read, write }
}

/// A sandbox in which nothing is run: to see whether one can be made.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) identity: Identity,
    pub(super) machine: &'a Machine,
    /// Without links in its path when it was given.
    pub(super) workspace: &'a LocalWorkspace,
    pub(super) workspace_owner: Option<(u32, u32)>,
    pub(super) limits: &'a LocalLimits,
    /// What could be started.
    pub(super) program: &'a Path,
}

impl Trial<'_> {
    pub(super) fn plan(&self) -> SandboxPlan {
        let program = program_inside(self.program);
        let mut mounts = self.machine.mounts();
        mounts.extend(own_mounts(self.limits));
        mounts.push(match self.workspace {
            LocalWorkspace::Private => Mount {
                at: WORKSPACE.into(),
                kind: memory(self.limits),
            },
            LocalWorkspace::Given { dir, read_only } => given(dir, *read_only, self.workspace_owner),
        });
        mounts.push(bind(&program, self.program.to_owned(), Access::ReadOnly, true));
        let mut files = commands(self.machine, self.workspace, true);
        files.read.retain(|path| path != Path::new(SKILLS));
        files.read.push(OURS.into());
        SandboxPlan {
            holder: None,
            identity: self.identity,
            cgroups: Vec::new(),
            mounts,
            limits: Vec::new(),
            syscalls: SyscallRules {
                profile: SyscallProfile::Commands,
                uncounted_memory: false,
            },
            files,
            program,
            args: Vec::new(),
            env: BTreeMap::new(),
            dir: TMP.into(),
        }
    }
}

/// What every sandbox has of its own.
fn own_mounts(limits: &LocalLimits) -> [Mount; 3] {
    let shm_bytes = limits.tmp.min(SHM_BYTES);
    [
        ("/proc", MountKind::Proc),
        ("/dev", MountKind::Devices { shm_bytes }),
        (TMP, memory(limits)),
    ]
    .map(|(at, kind)| Mount { at: at.into(), kind })
}

fn memory(limits: &LocalLimits) -> MountKind {
    MountKind::Memory {
        bytes: limits.tmp,
        files: TMP_FILES,
        mode: 0o1777,
    }
}

/// A workspace that was given.
fn given(dir: &Path, read_only: bool, owner: Option<(u32, u32)>) -> Mount {
    Mount {
        at: WORKSPACE.into(),
        kind: MountKind::Bind {
            from: dir.to_owned(),
            access: if read_only {
                Access::ReadOnly
            } else {
                Access::ReadWrite
            },
            exec: true,
            owner,
            optional: false,
        },
    }
}

fn program_inside(program: &Path) -> PathBuf {
    // A path that ends in `..` names no program; starting it fails, and says so.
    let name = program.file_name().unwrap_or("program".as_ref());
    Path::new(OURS).join("bin").join(name)
}

/// Where an executor's requests are inside.
pub(super) fn tools_dir() -> PathBuf {
    Path::new(IPC).join("tools")
}

/// Where an executor's answers of people are inside.
pub(super) fn approvals_dir() -> PathBuf {
    Path::new(IPC).join("approvals")
}

/// Where a process's state is in the holder's mount namespace. A pack can't be named like the agent's folder is.
pub(super) fn state_of(place: &Path, process: &LocalProcess) -> PathBuf {
    let state = place.join("state");
    match process {
        LocalProcess::Runner => state.join("runner"),
        LocalProcess::Toolbox(pack) => state.join(format!("of-{pack}")),
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
