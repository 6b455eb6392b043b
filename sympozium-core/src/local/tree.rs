//! Ending a whole tree of processes, whatever sessions and groups its members hide in.
//!
//! Reads `/proc`; where there is none, only process groups are ended.

use crate::ids::RunUid;
use rustix::process::{Pid, Signal, getuid, kill_process, kill_process_group};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// The variable by which the processes of a run are known. Plans can't set variables of this prefix.
pub(super) const MARK: &str = "SYMPOZIUM_RUN";

/// Asks the group of a process to end.
pub(super) fn ask(leader: Pid) {
    // There is nobody to ask when all have ended; that is the wanted state.
    let _ = kill_process_group(leader, Signal::TERM);
}

/// Kills a process that was not waited for yet, its group, and everything below it.
///
/// Each level is stopped before the next one is looked for, so that nobody gets away or is replaced meanwhile.
pub(super) fn end(root: Pid) {
    let mut stopped = BTreeSet::new();
    let mut level = vec![root.as_raw_nonzero().get()];
    while !level.is_empty() {
        for pid in &level {
            signal(*pid, Signal::STOP);
            stopped.insert(*pid);
        }
        let below = children();
        level = level
            .iter()
            .filter_map(|pid| below.get(pid))
            .flatten()
            .copied()
            .filter(|pid| !stopped.contains(pid))
            .collect();
    }
    let _ = kill_process_group(root, Signal::KILL);
    for pid in stopped {
        signal(pid, Signal::KILL);
    }
}

/// Kills every process of this user that carries the run's mark, until there are none (at most for two seconds). For what
/// survived its parent. Blocks.
pub(super) fn end_marked(run: RunUid) {
    let mark = format!("{MARK}={run}");
    let until = Instant::now() + Duration::from_secs(2);
    loop {
        let found = marked(mark.as_bytes());
        if found.is_empty() || Instant::now() > until {
            return;
        }
        for pid in found {
            signal(pid, Signal::KILL);
        }
        // Ending takes the kernel a moment, and whoever was killed may just have started another one.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn marked(mark: &[u8]) -> Vec<i32> {
    let me = std::process::id();
    let user = getuid().as_raw();
    pids()
        .filter(|pid| u32::try_from(*pid) != Ok(me))
        .filter(|pid| fs::metadata(format!("/proc/{pid}")).is_ok_and(|meta| meta.uid() == user))
        .filter(|pid| {
            // Ended processes that nobody has waited for have an empty environment, so they are not found.
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == mark))
        })
        .collect()
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The children of each process.
fn children() -> BTreeMap<i32, Vec<i32>> {
    let mut all: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for pid in pids() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // `pid (name) state parent …`; the name may hold anything, brackets too.
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            all.entry(parent).or_default().push(pid);
        }
    }
    all
}
