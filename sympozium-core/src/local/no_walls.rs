//! Why no sandbox can be made here, in sentences for a person. Pure: the facts are given.

use std::path::Path;

/// How to go on without a sandbox; the last resort of every refusal that the machine causes.
const WITHOUT: &str =
    "Without a sandbox it works by `--sandbox none`: agent and commands can then do whatever you can do.";

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
}

/// What did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// To make namespaces, the user's own first of all.
    Namespaces,
    /// To mount a `/proc`.
    Proc,
    /// To show the workspace's files as another user's.
    IdMap,
    /// To show the workspace.
    Workspace,
    /// To enter a cgroup.
    Cgroup,
    /// Something that works on every machine that we know of.
    Other,
}

/// A step that a launcher failed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) cause: Cause,
    /// The step and the system's reason, in words.
    pub(super) said: String,
    /// The system's reason, see errno(3).
    pub(super) errno: i32,
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
            advice: format!("{advice} {WITHOUT}").trim_start().to_owned(),
            of_workspace: false,
        }
    }

    /// For systems that are not Linux.
    #[cfg_attr(
        target_os = "linux",
        allow(dead_code, reason = "only the other systems say it")
    )]
    pub(super) fn not_linux() -> Self {
        Self::of_machine("The sandbox of runs needs Linux, and this is another system.", "")
    }

    /// For root where no cgroup can be made.
    pub(super) fn no_cgroup(said: &str) -> Self {
        Self::of_machine(
            format!(
                "Root's runs are held to their limits by a cgroup that counts memory and processes, and none can be made here \
                 ({said})."
            ),
            "Let this program make cgroups (in a container: mount /sys/fs/cgroup writable), or start it as an ordinary user.",
        )
    }

    /// For a workspace that can't be shown to a run.
    pub(super) fn workspace(dir: &Path, trouble: &Trouble) -> Self {
        let (dir, said) = (dir.display(), &trouble.said);
        let (reason, advice) = if trouble.cause == Cause::IdMap {
            (
                format!(
                    "The workspace {dir} can't be given to a run of root: its file system can't show files as another \
                     user's ({said})."
                ),
                "Choose one on ext4, xfs, btrfs or tmpfs (not on overlayfs or NFS), leave the workspace to the run, or start \
                 this program as the ordinary user who owns it.",
            )
        } else {
            (
                format!("The workspace {dir} can't be given to a run ({said})."),
                "Choose a folder that this program can read, or leave the workspace to the run.",
            )
        };
        Self {
            reason,
            advice: advice.to_owned(),
            of_workspace: true,
        }
    }

    /// For settings that no sandbox can be made from; the text says what to change.
    pub(super) fn settings(said: &str) -> Self {
        Self {
            reason: said.to_owned(),
            advice: "Or leave the workspace to the run.".to_owned(),
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

    /// For a program to be shown in sandboxes that is not there.
    pub(super) fn no_program(program: &Path, error: &str) -> Self {
        Self::of_machine(
            format!(
                "The executor of commands {} can't be used: {error}.",
                program.display()
            ),
            "Install it again.",
        )
    }

    /// For a step that failed, given what the machine says about itself and the workspace that was given.
    pub(super) fn of_trouble(trouble: &Trouble, facts: &Facts, workspace: Option<&Path>) -> Self {
        let said = &trouble.said;
        match (trouble.cause, workspace) {
            (Cause::IdMap | Cause::Workspace, Some(dir)) => Self::workspace(dir, trouble),
            (Cause::Namespaces, _) => namespaces(trouble, facts),
            (Cause::Proc, _) => Self::of_machine(
                format!(
                    "A sandbox needs a /proc of its own, and the kernel refuses it ({said}); that is so where a part of /proc \
                     is covered, as in containers."
                ),
                "Start this program outside of the container, or start the container with an uncovered /proc (Docker: \
                 `--security-opt systempaths=unconfined`).",
            ),
            (Cause::Cgroup, _) => Self::no_cgroup(said),
            (Cause::IdMap | Cause::Workspace | Cause::Other, _) => {
                Self::of_machine(format!("No sandbox can be made here ({said})."), "")
            }
        }
    }
}

/// Why a user namespace was refused. The order matters: what forbids everything comes first.
fn namespaces(trouble: &Trouble, facts: &Facts) -> NoWalls {
    const ENOSPC: i32 = 28;
    let made =
        |reason: &str, advice: &str| NoWalls::of_machine(format!("{reason} ({}).", trouble.said), advice);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            max_user_namespaces: Some(10_000),
            ..Facts::default()
        }
    }

    fn refusal(cause: Cause, errno: i32, facts: &Facts) -> String {
        let trouble = Trouble {
            cause,
            said: "make a user namespace: no".to_owned(),
            errno,
        };
        NoWalls::of_trouble(&trouble, facts, None).to_string()
    }

    #[test]
    fn a_refusal_names_the_cause_and_what_to_do() {
        const EPERM: i32 = 1;
        let with = |change: fn(&mut Facts)| {
            let mut all = facts();
            change(&mut all);
            all
        };
        let cases = [
            (
                28,
                facts(),
                "No user namespaces may be made",
                "user.max_user_namespaces=10000",
            ),
            (
                EPERM,
                with(|facts| facts.max_user_namespaces = Some(0)),
                "No user namespaces may be made",
                "user.max_user_namespaces=10000",
            ),
            (
                EPERM,
                with(|facts| facts.unprivileged_clone = Some(0)),
                "Only root may make",
                "kernel.unprivileged_userns_clone=1",
            ),
            (
                13,
                with(|facts| facts.apparmor_restricts = Some(1)),
                "AppArmor",
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (
                EPERM,
                with(|facts| facts.filtered = true),
                "a system call filter",
                "seccomp=unconfined",
            ),
            (
                EPERM,
                with(|facts| {
                    facts.root = true;
                    facts.apparmor_restricts = Some(1);
                    facts.unprivileged_clone = Some(0);
                }),
                "The kernel refuses the namespaces",
                "start it where they are allowed",
            ),
        ];
        for (errno, facts, reason, advice) in cases {
            let said = refusal(Cause::Namespaces, errno, &facts);
            assert!(
                said.contains(reason) && said.contains(advice),
                "{facts:?}: {said}"
            );
            assert!(said.contains("(make a user namespace: no)"), "{said}");
            assert!(said.contains("`--sandbox none`"), "{said}");
        }
        let said = refusal(Cause::Proc, EPERM, &facts());
        assert!(
            said.contains("a /proc of its own") && said.contains("systempaths=unconfined"),
            "{said}"
        );
        assert!(refusal(Cause::Cgroup, EPERM, &facts()).contains("cgroup"));
    }

    #[test]
    fn a_workspace_that_does_not_fit_is_no_reason_to_go_without_walls() {
        for cause in [Cause::IdMap, Cause::Workspace] {
            let trouble = Trouble {
                cause,
                said: "map the owner of /w: Invalid argument".to_owned(),
                errno: 22,
            };
            let refusal = NoWalls::of_trouble(&trouble, &facts(), Some(Path::new("/w")));
            assert!(refusal.is_about_workspace());
            let said = refusal.to_string();
            assert!(said.contains("The workspace /w can't be given"), "{said}");
            assert!(
                said.contains("Choose") && !said.contains("--sandbox none"),
                "{said}"
            );
        }
    }
}
