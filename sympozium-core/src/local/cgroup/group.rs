//! The group of one run.

use super::find::Part;
use super::text::Version;
use crate::ids::RunUid;
use crate::local::LocalLimits;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the kernel may take to end what was killed. Memory of gigabytes takes seconds to be given back.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many processes are killed, and waited for, at once. Each takes one open file.
const AT_ONCE: usize = 64;

/// The group of one run: processes enter it by writing `0` to each of [`procs`](Self::procs), and can't leave it. Stays
/// until [`remove`](Self::remove), also when it is dropped.
#[derive(Debug)]
pub struct Group {
    folders: Vec<Part>,
}

impl Group {
    pub(super) fn new(bases: &[Part], run: RunUid) -> Self {
        let folders = bases
            .iter()
            .map(|base| Part {
                dir: base.dir.join(run.to_string()),
                ..base.clone()
            })
            .collect();
        Self { folders }
    }

    /// Makes the folders, with their limits.
    pub(super) fn create(&self, limits: &LocalLimits) -> io::Result<()> {
        for folder in &self.folders {
            fs::create_dir(&folder.dir).map_err(|error| at(&folder.dir, &error))?;
            if folder.counts.memory {
                bound_memory(folder, limits.memory)?;
            }
            if folder.counts.processes {
                bound_processes(&folder.dir, limits.processes)?;
            }
        }
        Ok(())
    }

    /// The `cgroup.procs` files that a process of the run writes `0` to, to enter.
    pub fn procs(&self) -> Vec<PathBuf> {
        self.folders
            .iter()
            .map(|folder| folder.dir.join("cgroup.procs"))
            .collect()
    }

    /// Kills every process in it, and returns when there is none. Nothing can be started in it from then on.
    pub fn kill(&self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        for folder in self.folders.iter().filter(|folder| folder.counts.processes) {
            // Whoever is about to fork is too late. An old kernel may refuse, and then more rounds are needed.
            let _ = bound_processes(&folder.dir, 0);
        }
        self.folders
            .iter()
            .try_for_each(|folder| kill_all(folder, until).map_err(|error| at(&folder.dir, &error)))
    }

    /// Removes it. There must be no process in it, except such as are just ending.
    pub fn remove(self) -> io::Result<()> {
        self.remove_folders()
    }

    /// True when the kernel killed a process of it because its memory was used up.
    pub fn out_of_memory(&self) -> bool {
        self.folders
            .iter()
            .filter(|folder| folder.counts.memory)
            .any(|folder| out_of_memory(folder))
    }

    /// Kills what is in it and removes it, if it is there at all.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.kill()?;
        self.remove_folders()
    }

    fn remove_folders(&self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        self.folders
            .iter()
            .try_for_each(|folder| remove(folder, until).map_err(|error| at(&folder.dir, &error)))
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn set(dir: &Path, file: &str, value: &str) -> io::Result<()> {
    let path = dir.join(file);
    write(&path, value).map_err(|error| at(&path, &error))
}

/// Writes to a file that is there: trying to make one gives other errors than that it is missing.
fn write(path: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(value.as_bytes())
}

/// Bounds memory, and swap where the kernel counts it: memory that is only moved to the disk would be no bound at all.
fn bound_memory(folder: &Part, bytes: u64) -> io::Result<()> {
    let dir = &folder.dir;
    let bytes = bytes.to_string();
    match folder.version {
        Version::Two => {
            set(dir, "memory.max", &bytes)?;
            if_there(set(dir, "memory.swap.max", "0"))
        }
        Version::One => {
            set(dir, "memory.limit_in_bytes", &bytes)?;
            if_there(set(dir, "memory.memsw.limit_in_bytes", &bytes))?;
            // Both are inherited from the group above.
            if_there(set(dir, "memory.swappiness", "0"))?;
            if_there(set(dir, "memory.oom_control", "0"))
        }
    }
}

fn bound_processes(dir: &Path, most: u64) -> io::Result<()> {
    set(dir, "pids.max", &most.to_string())
}

/// Kernels can be built, or started, without this file.
fn if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn out_of_memory(folder: &Part) -> bool {
    let file = match folder.version {
        Version::One => "memory.oom_control",
        Version::Two => "memory.events",
    };
    let text = fs::read_to_string(folder.dir.join(file)).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .any(|(name, count)| name == "oom_kill" && count.trim() != "0")
}

fn kill_all(folder: &Part, until: Instant) -> io::Result<()> {
    if folder.version == Version::Two {
        // Not there before Linux 5.14; then processes are killed one by one below.
        let _ = write(&folder.dir.join("cgroup.kill"), "1");
    }
    loop {
        let listed = match listed(&folder.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listed => listed?,
        };
        if listed.is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{} processes do not end", listed.len()),
            ));
        }
        let killed = kill_some(&folder.dir, &listed)?;
        wait(&killed, until);
    }
}

/// The processes of a group. A process of another process id namespace is listed as 0.
fn listed(dir: &Path) -> io::Result<Vec<i32>> {
    let text = fs::read_to_string(dir.join("cgroup.procs"))?;
    Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

/// Kills some of these processes; returns what to wait for.
fn kill_some(dir: &Path, pids: &[i32]) -> io::Result<Vec<OwnedFd>> {
    let open: Vec<(i32, OwnedFd)> = pids
        .iter()
        .filter_map(|pid| Some((*pid, Pid::from_raw(*pid)?)))
        .filter_map(|(raw, pid)| Some((raw, pidfd_open(pid, PidfdFlags::empty()).ok()?)))
        .take(AT_ONCE)
        .collect();
    // A process id may have been given to somebody else before it was opened. From now on it can't be.
    let still = listed(dir)?;
    Ok(open
        .into_iter()
        .filter(|(pid, _)| still.contains(pid))
        .map(|(_, process)| {
            // It may have ended by itself.
            let _ = pidfd_send_signal(&process, Signal::KILL);
            process
        })
        .collect())
}

/// Waits until all have ended; for a moment only when there is nothing to wait for.
fn wait(processes: &[OwnedFd], until: Instant) {
    if processes.is_empty() {
        pause();
    }
    for process in processes {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else {
            return;
        };
        // An error is no end: the group is read again in any case.
        let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&left));
    }
}

/// Version 1 tells nobody that a group became empty.
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

fn remove(folder: &Part, until: Instant) -> io::Result<()> {
    loop {
        match fs::remove_dir(&folder.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < until => {
                match folder.version {
                    Version::One => pause(),
                    Version::Two => wait_for_change(&folder.dir, until),
                }
            }
            result => return result,
        }
    }
}

/// Waits until `cgroup.events` changes, which it does when the last process has ended.
fn wait_for_change(dir: &Path, until: Instant) {
    let Ok(events) = fs::File::open(dir.join("cgroup.events")) else {
        return pause();
    };
    let text = io::read_to_string(&events).unwrap_or_default();
    if !text.lines().any(|line| line == "populated 1") {
        return pause();
    }
    let left = until.saturating_duration_since(Instant::now());
    if let Ok(left) = Timespec::try_from(left) {
        let _ = poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&left));
    }
}
