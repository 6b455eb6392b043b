//! The process outside: starts the one that becomes the program, passes signals on, and sees to its end.

use super::identity;
use super::inside;
use super::outcome::{During, SetupError, Step, TryOutcome};
use super::plan::{Identity, SandboxPlan};
use super::sys::{self, Forked};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};
use rustix::thread::{CapabilitySet, LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The longest message about a step that did not work: its path has at most 4,096 bytes.
const MAX_MESSAGE: usize = 16 * 1024;
/// What a shell adds to the number of the signal that ended a program.
const SIGNALLED: i32 = 128;

/// What a plan is carried out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To run the program.
    Run,
    /// To see whether it could be run.
    Try,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The program ran, and ended with this code.
    Program(u8),
    /// It did not run.
    Told(TryOutcome),
}

/// The process that becomes the program, seen from outside.
struct Program {
    pid: Pid,
    handle: OwnedFd,
    /// Tells how the set-up went; closed as soon as the program runs.
    told: OwnedFd,
    /// Signals to pass on.
    signals: OwnedFd,
}

/// Carries out a plan, until the program's end.
pub(super) fn launch(plan: &SandboxPlan, purpose: Purpose) -> Ended {
    match start(plan, purpose).and_then(|program| attend(plan.identity, &program)) {
        Ok(ended) => ended,
        Err(error) => Ended::Told(TryOutcome::Failed(error)),
    }
}

fn start(plan: &SandboxPlan, purpose: Purpose) -> Result<Program, SetupError> {
    identity::enter_cgroups(&plan.cgroups)?;
    let mounts = enter_holder(plan)?;
    let (told, launcher) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .during(Step::Process)?;
    let signals = [Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw);
    let signals = sys::signals_as_file(&signals).during(Step::Process)?;
    identity::unshare(UnshareFlags::NEWPID).during(Step::Namespaces)?;
    match sys::fork().during(Step::Process)? {
        Forked::Child => {
            drop((told, signals));
            let outcome = inside::become_program(plan, mounts.as_ref(), &launcher, purpose);
            sys::exit(tell(&launcher, &outcome));
        }
        Forked::Parent(pid) => Ok(Program {
            pid,
            handle: pidfd_open(pid, PidfdFlags::empty()).during(Step::Process)?,
            told,
            signals,
        }),
    }
}

/// Enters the user namespace that the sandbox's others will belong to, and finds the mounts that the sandbox is made of. This process itself stays
/// with its own mounts: it must not keep a holder's alive.
fn enter_holder(plan: &SandboxPlan) -> Result<Option<OwnedFd>, SetupError> {
    let owner = identity::on_the_machine(plan.identity)?;
    let Some(holder) = plan.holder else {
        return match plan.identity {
            Identity::Own => {
                identity::enter_user_namespace(CWD, Path::new("/proc"), owner, owner).map(|()| None)
            }
            Identity::Other { .. } => Ok(None),
        };
    };
    let open = |name: &str| {
        let path = PathBuf::from(format!("/proc/{holder}/ns/{name}"));
        openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).with(Step::Holder, &path)
    };
    let mounts = open("mnt")?;
    match plan.identity {
        Identity::Own => {
            let users = open("user")?;
            move_into_link_name_space(users.as_fd(), Some(LinkNameSpaceType::User)).during(Step::Holder)?;
        }
        Identity::Other { .. } => {}
    }
    Ok(Some(mounts))
}

/// Tells the launcher what there is to tell. The code is for nobody: a launcher that is told reads the message.
fn tell(launcher: &OwnedFd, outcome: &TryOutcome) -> u8 {
    let text = serde_json::to_vec(outcome).unwrap_or_default();
    u8::from(send(launcher, &text, SendFlags::NOSIGNAL).is_err())
}

/// Stays until the program has ended.
fn attend(identity: Identity, program: &Program) -> Result<Ended, SetupError> {
    drop_rights(identity)?;
    let mut starter_lives = true;
    let mut stopped = None;
    while !wait_for_event(program, &mut starter_lives).during(Step::Process)? {
        if !starter_lives {
            kill(program);
        }
        while let Some(signal) = sys::next_signal(&program.signals) {
            if has_started(program) {
                pass_on(program, signal);
            } else {
                // The program could not have heard it: nothing is worth starting any more.
                stopped = Some(signal);
                kill(program);
            }
        }
    }
    let status = waitpid(Some(program.pid), WaitOptions::empty()).during(Step::Process)?;
    if let Some(outcome) = told(program) {
        return Ok(Ended::Told(outcome));
    }
    let code = status.map_or(0, |(_, status)| {
        status
            .exit_status()
            .or_else(|| {
                stopped
                    .or(status.terminating_signal())
                    .map(|signal| SIGNALLED + signal)
            })
            .unwrap_or(SIGNALLED)
    });
    Ok(Ended::Program(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Waits for the program's end (true) or something else that there is to do.
fn wait_for_event(program: &Program, starter_lives: &mut bool) -> Result<bool, Errno> {
    let stdin = std::io::stdin();
    let stdin = if *starter_lives {
        stdin.as_fd()
    } else {
        program.signals.as_fd()
    };
    let mut events = [
        PollFd::new(&program.handle, PollFlags::IN),
        PollFd::new(&program.signals, PollFlags::IN),
        // Asks for nothing but the end of whoever holds the other end: what it says is the program's to read.
        PollFd::from_borrowed_fd(stdin, PollFlags::empty()),
    ];
    match poll(&mut events, None) {
        Err(Errno::INTR) => return Ok(false),
        other => other?,
    };
    let [ended, _, starter] = &events;
    if !starter.revents().is_empty() {
        *starter_lives = false;
    }
    Ok(!ended.revents().is_empty())
}

/// Keeps nothing but the right to end the program.
fn drop_rights(identity: Identity) -> Result<(), SetupError> {
    identity::keep_capabilities(match identity {
        Identity::Own => CapabilitySet::empty(),
        Identity::Other { .. } => CapabilitySet::KILL,
    })?;
    rustix::thread::set_no_new_privs(true).during(Step::Identity)?;
    rustix::process::chdir("/").during(Step::Process)
}

/// Whether the program runs: its end of the socket is closed then.
fn has_started(program: &Program) -> bool {
    let mut byte = [0; 1];
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    matches!(recv(&program.told, &mut byte, flags), Ok((_, 0)))
}

/// What the process said before it ended without having become the program.
fn told(program: &Program) -> Option<TryOutcome> {
    let mut buffer = vec![0; MAX_MESSAGE];
    let (_, read) = recv(&program.told, &mut *buffer, RecvFlags::DONTWAIT).ok()?;
    serde_json::from_slice(buffer.get(..read)?).ok()
}

fn kill(program: &Program) {
    // It may have ended by itself in the meantime.
    let _gone = pidfd_send_signal(&program.handle, Signal::KILL);
}

fn pass_on(program: &Program, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        // As above.
        let _gone = pidfd_send_signal(&program.handle, signal);
    }
}
