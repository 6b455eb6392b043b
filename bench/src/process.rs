//! Processes that the bench starts: none outlives it, and how much memory they take.

use crate::machine::field;
use anyhow::{Context, bail};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that has to happen.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// How often something is looked at that nobody tells us about.
const LOOK: Duration = Duration::from_micros(200);

/// A process that is killed and waited for when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// When it was told to start.
    pub(crate) begun: Instant,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let child = command.spawn();
        let child = child.with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self { child, begun })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// An error when it has ended already.
    pub(crate) fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("look after a process")? {
            Some(status) => bail!("it ended early, with {status}"),
            None => Ok(()),
        }
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        self.watch(|_| {})
    }

    /// Waits for its end, and returns the most memory that it had at once, in bytes.
    pub(crate) fn peak(&mut self) -> anyhow::Result<u64> {
        let mut peak = 0;
        // It only grows, so the last look before the end is the one that counts.
        self.watch(|pid| peak = memory(pid, "VmHWM").unwrap_or(peak))?;
        Ok(peak)
    }

    fn watch(&mut self, mut look: impl FnMut(u32)) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + DEADLINE;
        loop {
            look(self.child.id());
            if let Some(status) = self.child.try_wait().context("wait for a process")? {
                return Ok(status);
            }
            if Instant::now() > until {
                bail!("it did not end within {DEADLINE:?}");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The memory that it has now, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        memory(self.child.id(), "VmRSS").context("read how much memory a process has")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A field of a living process's status, in bytes.
fn memory(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes: u64 = field(&status, name)?.strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// How long it takes to start a program that does nothing, and to see its end.
pub(crate) fn start_and_wait(command: &mut Command) -> anyhow::Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begun = Instant::now();
    let status = command.status();
    let took = begun.elapsed();
    let name = command.get_program().display();
    if !status.with_context(|| format!("start {name}"))?.success() {
        bail!("{name} failed");
    }
    Ok(took)
}

/// A duration in milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
