//! One process of a run: started with an environment made from nothing, its output kept within bounds, ended with all
//! that it started.

use super::{LocalProgram, tree};
use rustix::fs::OFlags;
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The most bytes of each output that are kept in its log.
const MAX_LOG: usize = 1 << 20;
/// The most bytes of complaints that are told.
const MAX_COMPLAINT: usize = 4 * 1024;
/// How long outputs may stay open after the end; only something that was left behind can hold them.
const DRAIN: Duration = Duration::from_millis(500);
/// How long a launcher may take to kill what is in its sandbox.
const CLOSE: Duration = Duration::from_secs(2);

/// What to start.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: LocalProgram,
    /// The file with its configuration; a launcher's plan when it is boxed.
    pub(super) config: PathBuf,
    /// True when the program is a launcher, which starts the real one in a sandbox.
    pub(super) boxed: bool,
    pub(super) env: BTreeMap<String, String>,
    /// Where it starts, and where `stdout.log` and `stderr.log` are written, by us.
    pub(super) dir: PathBuf,
}

/// A process that was started. Dropping it kills the process, but only [`Process::end`] ends what that one started.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    // The process ends when this is closed, which the kernel does when we die.
    lifeline: Option<ChildStdin>,
    logs: JoinSet<Vec<u8>>,
    boxed: bool,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; 128 + n after signal n.
    pub(super) exit_code: i32,
    /// The end of its standard error.
    pub(super) complaint: String,
}

impl Process {
    pub(super) fn start(launch: &Launch) -> io::Result<Self> {
        let mut command = Command::new(&launch.program.program);
        command
            .args(&launch.program.args)
            .arg("--config")
            .arg(&launch.config);
        if !launch.boxed {
            command.arg("--end-with-stdin");
        }
        let mut child = command
            .env_clear()
            .envs(&launch.env)
            .current_dir(&launch.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or_else(|| io::Error::other("the process has no id"))?;
        let mut logs = JoinSet::new();
        // The second task's answer is the complaint.
        if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
            let (out_log, err_log) = (launch.dir.join("stdout.log"), launch.dir.join("stderr.log"));
            logs.spawn(async move {
                keep(out, out_log).await;
                Vec::new()
            });
            logs.spawn(keep(err, err_log));
        }
        Ok(Self {
            lifeline: child.stdin.take(),
            child,
            pid,
            logs,
            boxed: launch.boxed,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until it has ended by itself. Safe to drop and call again.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to end.
    pub(super) fn ask_to_end(&mut self) {
        tree::ask(self.pid);
        // A launcher takes the end of its input for our death, and kills at once.
        if !self.boxed {
            self.lifeline = None;
        }
    }

    /// Makes a launcher kill everything in its sandbox, and waits until all of it is gone.
    async fn close_box(&mut self) {
        self.lifeline = None;
        let _ = timeout(CLOSE, self.child.wait()).await;
    }

    /// Waits at most that long for its end, then kills it and all that it started.
    pub(super) async fn end(mut self, grace: Duration) -> Ended {
        let mut in_time = timeout(grace, self.child.wait()).await;
        if in_time.is_err() && self.boxed {
            self.close_box().await;
            in_time = timeout(Duration::ZERO, self.child.wait()).await;
        }
        let status = if let Ok(status) = in_time {
            status
        } else {
            tree::end(self.pid);
            self.child.wait().await
        };
        Ended {
            // Only a process that we have no right to wait for gives an error.
            exit_code: status.map_or(1, exit_code),
            complaint: self.complaint().await,
        }
    }

    async fn complaint(&mut self) -> String {
        let all = async {
            let mut complaint = Vec::new();
            while let Some(tail) = self.logs.join_next().await {
                complaint.extend(tail.unwrap_or_default());
            }
            complaint
        };
        // Whoever else still holds the outputs is not waited for.
        let complaint = timeout(DRAIN, all).await.unwrap_or_default();
        self.logs.shutdown().await;
        String::from_utf8_lossy(&complaint).trim().to_owned()
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1)
}

/// Copies an output to its log as far as it fits, and returns the end of it.
async fn keep(mut source: impl AsyncRead + Unpin, path: PathBuf) -> Vec<u8> {
    // A log that can't be written is no reason to stop the process. Nobody else may read it, nor lead it elsewhere.
    let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = File::options();
    options
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(nofollow);
    let mut log = options.open(&path).await.ok();
    let (mut tail, mut written) = (Vec::new(), 0);
    let mut buffer = vec![0; 8 * 1024];
    // A read error means that the other end is gone, which is the end.
    while let Ok(n @ 1..) = source.read(&mut buffer).await {
        let piece = buffer.get(..n).unwrap_or_default();
        tail.extend_from_slice(piece);
        if tail.len() > 2 * MAX_COMPLAINT {
            tail.drain(..tail.len() - MAX_COMPLAINT);
        }
        let fits = piece.get(..n.min(MAX_LOG - written)).unwrap_or_default();
        if let Some(file) = &mut log
            && !fits.is_empty()
        {
            written += fits.len();
            let _ = file.write_all(fits).await;
        }
    }
    if let Some(file) = &mut log {
        let _ = file.flush().await;
    }
    tail.drain(..tail.len().saturating_sub(MAX_COMPLAINT));
    tail
}
