//! Why no sandbox can be made here, in sentences for a person. Pure: the facts are given.

use std::fmt;
use std::path::{Path, PathBuf};

/// How to go on without a sandbox; the last resort of every refusal that the machine causes.
const WITHOUT: &str =
    "Or go on without a sandbox by `--sandbox none`: agent and commands can then do whatever you can do.";

/// Why this machine, or this program on it, can't keep runs apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} {advice}")]
pub struct NoWalls {
    reason: String,
    advice: String,
    of_workspace: bool,
}

/// What this machine says about itself, as far as it decides what a refusal means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whether the program is root.
    pub(super) root: bool,
    /// `/proc/sys/user/max_user_namespaces`.
    pub(super) max_user_namespaces: Option<u64>,
    /// `kernel.unprivileged_userns_clone`, which some distributions have.
    pub(super) unprivileged_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`.
    pub(super) apparmor_restricts: Option<u64>,
    /// Whether this program is held by a system call filter already, as in a container.
    pub(super) filtered: bool,
    /// Whether something is mounted over a part of `/proc`, as in a container.
    pub(super) masked_proc: bool,
}

/// The step at which a launcher failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What it was doing, in words.
    pub(super) step: String,
    /// With which file.
    pub(super) path: Option<PathBuf>,
    /// What the kernel said.
    pub(super) errno: i32,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.step)?;
        if let Some(path) = &self.path {
            write!(f, " {}", path.display())?;
        }
        write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno))
    }
}

impl NoWalls {
    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do about it.
    pub fn advice(&self) -> &str {
        &self.advice
    }

    /// True when it is the workspace that was given, not the machine: another one would work.
    pub const fn is_about_workspace(&self) -> bool {
        self.of_workspace
    }

    pub(super) fn of_machine(reason: impl Into<String>, advice: &str) -> Self {
        Self {
            reason: reason.into(),
            advice: format!("{advice} {WITHOUT}").trim().to_owned(),
            of_workspace: false,
        }
    }

    /// For systems that are not Linux.
    pub(super) fn not_linux() -> Self {
        Self::of_machine("The sandbox of runs needs Linux, and this is another system.", "")
    }

    /// For root where no cgroup can be made.
    pub(super) fn no_cgroup() -> Self {
        Self::of_machine(
            "Root's runs are held to their limits by a cgroup that counts memory and processes, and none can be made here.",
            "Let this program make cgroups (in a container: mount /sys/fs/cgroup writable), or start it as an ordinary user.",
        )
    }

    /// For a workspace whose file system can't be shown under other ids.
    pub(super) fn workspace(dir: &Path, error: &str) -> Self {
        Self {
            reason: format!(
                "The workspace {} can't be given to a run of root: its file system can't show files as another user's ({error}).",
                dir.display()
            ),
            advice: "Choose one on ext4, xfs, btrfs or tmpfs (not on overlayfs or NFS), leave the workspace to the run, or \
                     start this program as the ordinary user who owns it."
                .to_owned(),
            of_workspace: true,
        }
    }

    /// For a launcher that can't be started at all.
    pub(super) fn no_launcher(program: &Path, error: &str) -> Self {
        Self::of_machine(
            format!(
                "The launcher of sandboxes {} does not work: {error}.",
                program.display()
            ),
            "Install it again.",
        )
    }

    /// For a step that failed, given what the machine says about itself.
    pub(super) fn of_trouble(trouble: &Trouble, facts: &Facts) -> Self {
        let step = trouble.step.to_lowercase();
        if step.contains("namespace") {
            return namespaces(trouble, facts);
        }
        if step.contains("proc") || trouble.path.as_deref() == Some(Path::new("/proc")) {
            return Self::of_machine(
                format!(
                    "A sandbox needs a /proc of its own, and the kernel refuses it ({trouble}); that is so where a part of \
                     /proc is covered, as in containers."
                ),
                "Start this program outside of the container, or start the container with an uncovered /proc (Docker: \
                 `--security-opt systempaths=unconfined`).",
            );
        }
        Self::of_machine(format!("No sandbox can be made here ({trouble})."), "")
    }
}

/// Why a user namespace was refused. The order matters: what forbids everything comes first.
fn namespaces(trouble: &Trouble, facts: &Facts) -> NoWalls {
    const ENOSPC: i32 = 28;
    let made = |reason: &str, advice: &str| NoWalls::of_machine(format!("{reason} ({trouble})."), advice);
    if facts.max_user_namespaces == Some(0) || trouble.errno == ENOSPC {
        return made(
            "No user namespaces may be made here",
            "Allow them by `sysctl user.max_user_namespaces=10000`.",
        );
    }
    if facts.unprivileged_clone == Some(0) && !facts.root {
        return made(
            "Only root may make user namespaces here",
            "Allow them by `sysctl kernel.unprivileged_userns_clone=1`.",
        );
    }
    if facts.apparmor_restricts.is_some_and(|value| value != 0) && !facts.root {
        return made(
            "AppArmor keeps ordinary programs from using user namespaces here",
            "Give this program an AppArmor profile with the rule `userns,`, or allow them to all programs by `sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0`.",
        );
    }
    if facts.filtered {
        return made(
            "This program is itself held by a system call filter that refuses namespaces, as in a container",
            "Start it outside of the container, or start the container with a filter that allows them (Docker: \
             `--security-opt seccomp=unconfined`).",
        );
    }
    made(
        "The kernel refuses the namespaces that a sandbox is made of",
        "Allow them to this program, or start it where they are allowed.",
    )
}
