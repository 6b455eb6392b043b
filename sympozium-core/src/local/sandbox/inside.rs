//! The process that becomes the program: the first one of its namespaces.

use super::holder::private_mounts;
use super::identity;
use super::launcher::Purpose;
use super::mount::processes;
use super::outcome::{During, Holds, SetupError, Step, TryOutcome};
use super::plan::{INSIDE_ID, Identity, SandboxPlan};
use super::root::Root;
use super::sys;
use crate::confine::{self, ConfineError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Access, Mode};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use std::error::Error;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// What every sandbox calls its machine.
const HOSTNAME: &[u8] = b"sandbox";

/// Does all that the plan says. Returns what there is to say when the program was not to be started, or could not be.
pub(super) fn become_program(
    plan: &SandboxPlan,
    mounts: Option<&OwnedFd>,
    launcher: &OwnedFd,
    purpose: Purpose,
) -> TryOutcome {
    let set_up = enter_root(plan, mounts).and_then(|()| give_up(plan, launcher));
    match (set_up, purpose) {
        (Err(error), Purpose::Run | Purpose::Try) => TryOutcome::Failed(error),
        (Ok(holds), Purpose::Try) => {
            can_start(plan).map_or_else(TryOutcome::Failed, |()| TryOutcome::Ok(holds))
        }
        (Ok(_), Purpose::Run) => TryOutcome::Failed(start(plan)),
    }
}

/// Builds what the program sees, and goes there.
fn enter_root(plan: &SandboxPlan, mounts: Option<&OwnedFd>) -> Result<(), SetupError> {
    // From here on nothing of this process outlives the launcher. It is said once more after the last change of identity.
    set_parent_process_death_signal(Some(Signal::KILL)).during(Step::Process)?;
    let owner = identity::on_the_machine(plan.identity)?;
    if let Some(mounts) = mounts {
        move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount)).during(Step::Holder)?;
    }
    let others = UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    identity::unshare(others).during(Step::Namespaces)?;
    private_mounts()?;
    // Modes of what is made here, and later by the program, are what they are called.
    let _before = rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::system::sethostname(HOSTNAME).during(Step::Namespaces)?;
    sys::loopback_up().during(Step::Loopback)?;
    let proc = processes().during(Step::Proc)?;
    let root = Root::new(&proc, owner, &plan.mounts)?;
    for mount in &plan.mounts {
        root.add(mount)?;
    }
    root.enter()?;
    // Without a terminal, nothing can be typed into that of whoever started this.
    rustix::process::setsid().during(Step::Process)?;
    if plan.identity != Identity::Own {
        identity::become_user(owner)?;
    }
    identity::enter_user_namespace(&proc, Path::new(""), (INSIDE_ID, INSIDE_ID), owner)
}

/// Gives up all that the program is not to have. Limits come after the user namespace: those of a user's processes are counted in it,
/// and would count the whole machine's if they were there before.
fn give_up(plan: &SandboxPlan, launcher: &OwnedFd) -> Result<Holds, SetupError> {
    identity::limit(&plan.limits)?;
    rustix::process::chdir(&plan.dir).with(Step::Program, &plan.dir)?;
    identity::give_up_capabilities()?;
    confine::no_new_privileges().map_err(|error| refused(Step::Identity, &error))?;
    let landlock = confine::restrict_files(&plan.files).map_err(|error| refused(Step::Files, &error))?;
    sys::reset_signals();
    set_parent_process_death_signal(Some(Signal::KILL)).during(Step::Process)?;
    launcher_lives(launcher).during(Step::Process)?;
    confine::restrict_syscalls(&plan.syscalls).map_err(|error| refused(Step::Syscalls, &error))?;
    Ok(Holds { landlock })
}

/// A launcher that died before its death was asked about is told by its end of the socket.
fn launcher_lives(launcher: &OwnedFd) -> Result<(), Errno> {
    let mut ends = [PollFd::new(launcher, PollFlags::empty())];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut ends, Some(&now))? {
        0 => Ok(()),
        _ => Err(Errno::SRCH),
    }
}

/// The system's reason is somewhere below what `confine` says about it.
fn refused(step: Step, error: &ConfineError) -> SetupError {
    let path = match error {
        ConfineError::Path { path, .. } => Some(path.clone()),
        ConfineError::Privileges(_)
        | ConfineError::Landlock { .. }
        | ConfineError::Filter { .. }
        | ConfineError::Unsupported { .. } => None,
    };
    let mut causes = std::iter::successors(error.source(), |cause| Error::source(*cause));
    let errno = causes.find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    SetupError {
        step,
        path,
        errno: errno.unwrap_or(libc::ENOSYS),
    }
}

fn can_start(plan: &SandboxPlan) -> Result<(), SetupError> {
    rustix::fs::access(&plan.program, Access::EXEC_OK).with(Step::Program, &plan.program)
}

/// Runs the program in the place of this process. Returns only when that does not work.
fn start(plan: &SandboxPlan) -> SetupError {
    let error = Command::new(&plan.program)
        .args(&plan.args)
        .env_clear()
        .envs(&plan.env)
        .exec();
    SetupError::new(Step::Program, Some(plan.program.clone()), &error)
}
