//! Ending what a command has left behind.
//!
//! Only for a process whose children are all commands. It is the parent of everything that lost its own, in whatever
//! session that hides: as the first process of its process ids, or as a subreaper.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, kill_process_group, pidfd_open,
    pidfd_send_signal, wait,
};
use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long ending may take. Only what hangs in the kernel, or forks faster than it can be looked for, takes longer.
const LIMIT: Duration = Duration::from_secs(2);

/// Kills and reaps every child of this process, and everything below, until there is nothing (at most for two seconds).
///
/// For processes whose only children are commands, see [`super::prepare_process`]. Blocks.
pub fn end_strays() {
    let until = Instant::now() + LIMIT;
    while reap() && Instant::now() < until {
        if getpid() == Pid::INIT {
            // All but this process itself, in one step that no fork gets past.
            let _ = kill_process_group(Pid::INIT, Signal::KILL);
        } else {
            // Stopped first, so that nobody is replaced while the others are looked for.
            while signal_below(Signal::STOP, until) {}
            // Whoever was stopped must not stay so, however late it is.
            signal_below(Signal::KILL, Instant::now() + LIMIT);
        }
        await_end(until);
    }
}

/// Whether there may be something to end: children that have not ended yet. Reaps the others.
pub(super) fn reap() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Waits until a child ends; which one makes no difference.
fn await_end(until: Instant) {
    let child = children().into_iter().next();
    // A child that can't be held has ended, or there are no such handles; what is left is looked at again.
    let Some(handle) = child.and_then(hold) else {
        std::thread::yield_now();
        return;
    };
    let left = until.saturating_duration_since(Instant::now());
    let limit = Timespec::try_from(left).ok();
    let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], limit.as_ref());
}

/// Sends a signal to every process below this one that did not have it, and says whether there was one.
///
/// A process id can be somebody else's a moment later. Children keep theirs until they are reaped, which only this
/// process does; others are held first, and then looked at again.
fn signal_below(signal: Signal, until: Instant) -> bool {
    let mut known: BTreeSet<i32> = BTreeSet::from([getpid().as_raw_nonzero().get()]);
    let mut found = false;
    let mut more = true;
    while more && Instant::now() < until {
        more = false;
        for process in processes() {
            if known.contains(&process.pid) || !known.contains(&process.parent) {
                continue;
            }
            known.insert(process.pid);
            more = true;
            let had_it = process.ended || (signal == Signal::STOP && process.stopped);
            found |= !had_it && send(&process, signal);
        }
    }
    found
}

fn send(process: &Process, signal: Signal) -> bool {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return false;
    };
    if process.parent == getpid().as_raw_nonzero().get() {
        return kill_process(pid, signal).is_ok();
    }
    let Some(handle) = hold(pid) else { return false };
    let same = Process::read(process.pid).is_some_and(|now| now.parent == process.parent);
    same && pidfd_send_signal(&handle, signal).is_ok()
}

fn hold(pid: Pid) -> Option<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// A process, as `/proc` shows it.
struct Process {
    pid: i32,
    parent: i32,
    stopped: bool,
    ended: bool,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and can hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        let state = words.next()?;
        Some(Self {
            pid,
            parent: words.next()?.parse().ok()?,
            stopped: matches!(state, "T" | "t"),
            ended: matches!(state, "Z" | "X"),
        })
    }
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::read)
        .collect()
}

fn children() -> Vec<Pid> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
                .collect::<Vec<_>>()
        })
        .collect()
}
