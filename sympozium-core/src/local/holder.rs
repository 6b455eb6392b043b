//! The process that keeps a run's private file systems, as its run sees it.

use super::LocalProgram;
use super::tree::MARK;
use crate::ids::RunUid;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long a holder may take to mount its file systems, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// What it says when its file systems are mounted.
const READY: &str = "ready";
/// The most bytes that are read of what it says.
const MAX_SAID: u64 = 4096;

/// A holder that is ready. Ends when it is dropped, and when this program dies; everything that is only in it goes then.
#[derive(Debug)]
pub(super) struct Holder {
    child: Child,
    pid: u32,
    // It ends when this is closed, which the kernel does when we die.
    lifeline: Option<ChildStdin>,
    // The kernel closes the other end when it ends. It is not waited for before the run has ended, so that its process id,
    // by which its namespaces are found, is nobody else's until then.
    said: ChildStdout,
}

/// Why there is no holder.
#[derive(Debug, thiserror::Error)]
pub(super) enum HolderError {
    /// It could not be started.
    #[error("start it")]
    Start(#[source] io::Error),
    /// It complained, or said this instead of being ready.
    #[error("the launcher said: {0}")]
    Said(String),
    /// It ended, and said nothing.
    #[error("the launcher ended without a word")]
    Silent,
    /// It did not say anything in time.
    #[error("it is not ready after {} seconds", PATIENCE.as_secs())]
    Late,
}

impl Holder {
    /// Starts one by a plan that is in a file, and waits until it is ready.
    pub(super) async fn start(
        launcher: &LocalProgram,
        plan: &Path,
        run: RunUid,
    ) -> Result<Self, HolderError> {
        let mut child = Command::new(&launcher.program)
            .args(&launcher.args)
            .arg("--hold")
            .arg("--config")
            .arg(plan)
            .env_clear()
            .env(MARK, run.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(HolderError::Start)?;
        let Some(mut said) = child.stdout.take() else {
            return Err(HolderError::Silent);
        };
        let line = timeout(PATIENCE, first_line(&mut said))
            .await
            .map_err(|_| HolderError::Late)?;
        if line != READY {
            return Err(complaint(child, line).await);
        }
        let pid = child.id().ok_or(HolderError::Silent)?;
        Ok(Self {
            lifeline: child.stdin.take(),
            child,
            pid,
            said,
        })
    }

    pub(super) const fn id(&self) -> u32 {
        self.pid
    }

    /// Waits until it has ended, which it should not do by itself. Safe to drop and call again.
    pub(super) async fn ended(&mut self) {
        let mut buffer = [0; 64];
        // It has nothing more to say; an error means that the other end is gone.
        while let Ok(1..) = self.said.read(&mut buffer).await {}
    }

    /// Whether it has ended by itself, or was ended by somebody else. From then on its process id may be another's.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it, and with it everything that only it has.
    pub(super) async fn end(mut self) {
        self.lifeline = None;
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// The first line that it says, or what there is of it.
async fn first_line(from: &mut ChildStdout) -> String {
    let mut line = Vec::new();
    // A launcher that says something else in the same breath is not one; what it says after its first line is lost.
    let _ = BufReader::new(from.take(MAX_SAID))
        .read_until(b'\n', &mut line)
        .await;
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// What it complains about, or else what it said instead of being ready.
async fn complaint(mut child: Child, line: String) -> HolderError {
    let mut said = Vec::new();
    drop(child.stdin.take());
    // Nothing was given to it yet that would have to be taken down in order.
    let _ = child.start_kill();
    if let Some(stderr) = child.stderr.take() {
        let _ = timeout(PATIENCE, stderr.take(MAX_SAID).read_to_end(&mut said)).await;
    }
    let _ = child.kill().await;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if !said.is_empty() {
        HolderError::Said(said)
    } else if line.is_empty() {
        HolderError::Silent
    } else {
        HolderError::Said(line)
    }
}
