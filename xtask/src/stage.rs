//! One step of a command: a line when it ends, with its time; its whole output only when it failed.
//!
//! Entry: [`Stages`], which goes on after a failure, so that one call shows everything that is wrong.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::repo;

/// What a program left behind.
pub(crate) struct Finished {
    pub(crate) success: bool,
    /// Standard output and standard error, in the order in which they were written.
    pub(crate) output: String,
}

/// Runs a command to its end with its output kept in a file below the build folder.
pub(crate) fn capture(name: &str, command: &mut Command) -> anyhow::Result<Finished> {
    let dir = repo::target_dir().join("xtask");
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    let path = dir.join(format!("{}.log", name.replace([' ', '/'], "-")));
    let log = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the log file")?)
        .stderr(log)
        .status()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    let output = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(Finished {
        success: status.success(),
        output: String::from_utf8_lossy(&output).into_owned(),
    })
}

/// The steps of one command, and which of them failed.
#[derive(Default)]
pub(crate) struct Stages {
    failed: Vec<String>,
}

impl Stages {
    /// Runs a program as one step.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) {
        self.check(name, || {
            let finished = capture(name, command)?;
            if !finished.success {
                bail!("{}", finished.output.trim_end());
            }
            Ok(())
        });
    }

    /// Runs a check as one step; the error is what it shows when it fails.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> anyhow::Result<()>) {
        let start = Instant::now();
        let result = check();
        line(
            name,
            start.elapsed(),
            if result.is_ok() { "ok" } else { "FAILED" },
        );
        if let Err(error) = result {
            println!("{error:#}");
            self.failed.push(name.to_owned());
        }
    }

    /// An error that names the failed steps, if there are any.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", self.failed.join(", "))
    }
}

/// The line that ends a step.
pub(crate) fn line(name: &str, time: Duration, verdict: &str) {
    println!("  {name:<44} {:>7.1} s  {verdict}", time.as_secs_f64());
}

/// Says loudly that a part could not run, and why.
pub(crate) fn skipped(name: &str, reason: &str) {
    println!("  {name:<44}            SKIPPED: {reason}");
}
