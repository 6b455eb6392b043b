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
/// The most bytes that are read of what it says.
const MAX_SAID: u64 = 4096;

/// A holder that is ready. Ends when it is dropped, and when this program dies; everything that is only in it goes then.
#[derive(Debug)]
pub(super) struct Holder {
    child: Child,
    pid: u32,
    // It ends when this is closed, which the kernel does when we die.
    lifeline: Option<ChildStdin>,
}

/// Why there is no holder.
#[derive(Debug, thiserror::Error)]
pub(super) enum HolderError {
    /// It could not be started.
    #[error("start it")]
    Start(#[source] io::Error),
    /// It said this instead of being ready.
    #[error("{0}")]
    Said(String),
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
        let stdout = child.stdout.take();
        if !timeout(PATIENCE, ready(stdout))
            .await
            .map_err(|_| HolderError::Late)?
        {
            return Err(HolderError::Said(complaint(child).await));
        }
        let pid = child
            .id()
            .ok_or_else(|| HolderError::Said("it has ended".to_owned()))?;
        Ok(Self {
            lifeline: child.stdin.take(),
            child,
            pid,
        })
    }

    pub(super) const fn id(&self) -> u32 {
        self.pid
    }

    /// Waits until it has ended, which it should not do by itself. Safe to drop and call again.
    pub(super) async fn ended(&mut self) {
        // Only a process that is not ours gives an error; then it is not there either.
        let _ = self.child.wait().await;
    }

    /// Whether it has ended by itself, or was ended by somebody else.
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

/// Whether its first line says that it is ready.
async fn ready(stdout: Option<ChildStdout>) -> bool {
    let Some(stdout) = stdout else { return false };
    let mut line = String::new();
    let read = BufReader::new(stdout.take(MAX_SAID)).read_line(&mut line).await;
    read.is_ok() && line.trim_end() == "ready"
}

/// What it wrote to its standard error until its end.
async fn complaint(mut child: Child) -> String {
    let mut said = Vec::new();
    drop(child.stdin.take());
    if let Some(stderr) = child.stderr.take() {
        let _ = timeout(PATIENCE, stderr.take(MAX_SAID).read_to_end(&mut said)).await;
    }
    // Nothing was given to it yet that would have to be taken down in order.
    let _ = child.kill().await;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if said.is_empty() {
        "it ended without a word".to_owned()
    } else {
        said
    }
}
