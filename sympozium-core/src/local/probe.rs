//! Looks whether a sandbox can be made here, by making one.

use super::{LocalSettings, NoWalls, Walls};

/// Tries what runs with [`LocalIsolation::Full`](super::LocalIsolation::Full) need, by starting the launcher once. Blocks for
/// some milliseconds; leaves nothing.
///
/// # Errors
/// Says what is missing here, and what to do about it.
pub fn probe(settings: &LocalSettings) -> Result<Walls, NoWalls> {
    #[cfg(target_os = "linux")]
    return linux::probe(settings);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = settings;
        Err(NoWalls::not_linux())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::super::cgroup::Base;
    use super::super::machine::Machine;
    use super::super::no_walls::{Cause, Facts, Trouble};
    use super::super::sandbox::{SandboxPlan, SetupError, Step, TryOutcome};
    use super::super::view::{self, Trial};
    use super::super::walled::{owner, trial_identity, workspace};
    use super::super::{Counts, LocalProgram, LocalSettings, LocalWorkspace, NoWalls, Walls};
    use crate::error::chain;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::fs;
    use std::io::{self, Read, Write};
    use std::os::fd::AsFd;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// How long the launcher may take.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// All that can be counted.
    const ALL: Counts = Counts {
        memory: true,
        processes: true,
    };
    /// The most bytes that are read of what it says.
    const MAX_SAID: u64 = 16 * 1024;

    pub(super) fn probe(settings: &LocalSettings) -> Result<Walls, NoWalls> {
        let root = rustix::process::geteuid().is_root();
        let counted = Base::find().map(|base| base.counts());
        // Root is exempt from the limits that hold for other users where no cgroup counts.
        if root && counted != Some(ALL) {
            return Err(NoWalls::no_cgroup(
                "no controller of memory and processes is to be had",
            ));
        }
        let workspace =
            workspace(settings).map_err(|error| NoWalls::settings(&format!("{}.", chain(&error))))?;
        let identity = trial_identity(root);
        let program = &settings.programs.toolbox.program;
        let program =
            fs::canonicalize(program).map_err(|error| NoWalls::no_program(program, &error.to_string()))?;
        let trial = Trial {
            identity,
            machine: &Machine::look(),
            workspace: &workspace,
            workspace_owner: owner(&workspace, identity),
            limits: &settings.limits,
            program: &program,
        };
        let launcher = &settings.programs.sandbox;
        let said = attempt(launcher, &trial.plan())
            .map_err(|error| NoWalls::no_launcher(&launcher.program, &error.to_string()))?;
        match serde_json::from_slice::<TryOutcome>(&said.out) {
            Ok(TryOutcome::Ok(holds)) => Ok(Walls {
                landlock: holds.landlock,
                counted,
                root,
                workspace: settings.workspace.clone(),
            }),
            Ok(TryOutcome::Failed(error)) => {
                let dir = match &workspace {
                    LocalWorkspace::Private => None,
                    LocalWorkspace::Given { dir, .. } => Some(dir.as_path()),
                };
                Err(NoWalls::of_trouble(&trouble(&error, dir), &facts(root), dir))
            }
            Err(_) => Err(NoWalls::no_launcher(&launcher.program, &said.complaint())),
        }
    }

    /// What a launcher said.
    struct Said {
        out: Vec<u8>,
        err: Vec<u8>,
    }

    impl Said {
        fn complaint(&self) -> String {
            let text = String::from_utf8_lossy(&self.err).trim().to_owned();
            if text.is_empty() {
                "it says nothing that can be understood".to_owned()
            } else {
                text
            }
        }
    }

    fn attempt(launcher: &LocalProgram, plan: &SandboxPlan) -> io::Result<Said> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(&serde_json::to_vec(plan)?)?;
        let mut child = Command::new(&launcher.program)
            .args(&launcher.args)
            .arg("--try")
            .arg("--config")
            .arg(file.path())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = listen(&mut child);
        // It has ended, or is late.
        let _ = child.kill();
        child.wait()?;
        said
    }

    /// What it says until both of its outputs end.
    fn listen(child: &mut Child) -> io::Result<Said> {
        let until = Instant::now() + PATIENCE;
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let err = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Said {
            out: until_end(out, until)?,
            err: until_end(err, until)?,
        })
    }

    fn until_end(mut from: impl Read + AsFd, until: Instant) -> io::Result<Vec<u8>> {
        let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let wait = Timespec::try_from(left).map_err(io::Error::other)?;
            if poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&wait))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let read = from.read(&mut buffer)?;
            let piece = buffer.get(..read).unwrap_or_default();
            said.extend_from_slice(piece);
            if piece.is_empty() || said.len() as u64 >= MAX_SAID {
                return Ok(said);
            }
        }
    }

    fn trouble(error: &SetupError, workspace: Option<&Path>) -> Trouble {
        let about_workspace = error
            .path
            .as_deref()
            .is_some_and(|path| Some(path) == workspace || path == Path::new(view::WORKSPACE));
        let cause = match error.step {
            Step::UserNamespace | Step::Namespaces => Cause::Namespaces,
            Step::Proc => Cause::Proc,
            Step::IdMap => Cause::IdMap,
            Step::Mount if about_workspace => Cause::Workspace,
            Step::Cgroup => Cause::Cgroup,
            Step::Holder
            | Step::Process
            | Step::Loopback
            | Step::Root
            | Step::Mount
            | Step::Devices
            | Step::Pivot
            | Step::Identity
            | Step::Limits
            | Step::Files
            | Step::Syscalls
            | Step::Program => Cause::Other,
        };
        Trouble {
            cause,
            said: error.to_string(),
            errno: error.errno,
        }
    }

    /// What this machine says about itself; what it does not say is left out.
    fn facts(root: bool) -> Facts {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Facts {
            root,
            max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            unprivileged_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            filtered: status
                .lines()
                .filter_map(|line| line.strip_prefix("Seccomp:"))
                .any(|mode| mode.trim() == "2"),
        }
    }
}
