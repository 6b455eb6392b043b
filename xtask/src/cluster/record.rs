//! Which process is the first one of a cluster, in a way that no other process can be taken for it.
//!
//! A process number alone says nothing once the process has ended: the system gives it to another. With the time of the
//! start, and the boot that this time counts from, it names one process for ever. Entry: [`Record`].

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::files;

/// One process of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Its number outside the cluster's namespaces.
    pub(super) pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub(super) start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub(super) boot: String,
}

impl Record {
    /// The process of that number, as it is now.
    pub(super) fn of(pid: i32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let stat = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let boot =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").context("read the boot's id")?;
        Ok(Self {
            pid,
            start_ticks: start_ticks(&stat).with_context(|| format!("{path} shows no running process"))?,
            boot: boot.trim().to_owned(),
        })
    }

    /// What a file holds; nothing where there is none.
    pub(super) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        files::read_json(path)
    }

    /// Whether exactly this process still runs.
    pub(super) fn is_alive(&self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == *self)
    }

    /// Kills the process at once, and waits until it is gone. It is no error when it was gone before.
    pub(super) fn kill(&self, patience: Duration) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.pid).context("a record holds no process number")?;
        // The descriptor keeps the number from being given to another process between the look and the signal.
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        if !self.is_alive() {
            return Ok(());
        }
        pidfd_send_signal(&descriptor, Signal::KILL).with_context(|| format!("kill process {}", self.pid))?;
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > patience {
                bail!(
                    "process {} was killed, but is still there after {} s",
                    self.pid,
                    patience.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Field 22, of a process that has not ended: one that nobody waits for yet (state Z) is as good as gone. The second field
/// is the program's name in parentheses, and may itself hold spaces and parentheses.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name() {
        let tail = "S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 88";
        for name in ["(xtask)", "(a b)", "(a) S 1 (b)"] {
            assert_eq!(start_ticks(&format!("12 {name} {tail}")), Some(4711), "{name}");
        }
        assert_eq!(start_ticks("12 (x) S 1"), None);
        assert_eq!(
            start_ticks(&format!("12 (x) {}", tail.replace('S', "Z"))),
            None,
            "it has ended"
        );
    }

    #[test]
    fn a_process_that_took_over_a_number_is_not_the_recorded_one() {
        let own = Record::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.is_alive());
        let earlier = Record {
            start_ticks: own.start_ticks - 1,
            ..own.clone()
        };
        assert!(!earlier.is_alive());
        let before_boot = Record {
            boot: "another".to_owned(),
            ..own
        };
        assert!(!before_boot.is_alive());
        // Neither may be killed: the test would not live to its end.
        earlier.kill(Duration::ZERO).unwrap();
        before_boot.kill(Duration::ZERO).unwrap();
    }

    #[test]
    fn killing_ends_the_process_and_can_be_repeated() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let record = Record::of(i32::try_from(child.id()).unwrap()).unwrap();
        let reaper = std::thread::spawn(move || child.wait());
        record.kill(Duration::from_secs(10)).unwrap();
        reaper.join().unwrap().unwrap();
        assert!(!record.is_alive());
        record.kill(Duration::ZERO).unwrap();
    }
}
