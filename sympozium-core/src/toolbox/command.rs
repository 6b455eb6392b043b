//! Executing one command, to its exact end.

use crate::ipc::{ExecRequest, ExecResult};
use rustix::process::{Pid, Signal, WaitOptions};
use std::{collections::BTreeMap, io, path::PathBuf, process::Stdio, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// The most bytes that are kept of each output.
pub const MAX_OUTPUT: usize = 50 * 1024;
/// How long outputs may stay open after the command has ended; only something that it left behind can hold them.
const DRAIN: Duration = Duration::from_millis(500);
/// The exit code of a command whose time was up, as timeout(1) has it.
const TIMED_OUT: i32 = 124;

/// What to execute and with what.
pub(super) struct Job<'a> {
    pub(super) request: &'a ExecRequest,
    pub(super) line: Vec<String>,
    pub(super) dir: PathBuf,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) timeout: Duration,
    /// This process has no other children, so all that is left after a command was left by it.
    pub(super) sole: bool,
}

/// One output: the bytes that are kept, and how many were not.
#[derive(Default)]
struct Output {
    kept: Vec<u8>,
    cut: u64,
}

/// Executes it. An error means that nothing was executed.
pub(super) async fn execute(job: Job<'_>, cancel: &CancellationToken) -> io::Result<ExecResult> {
    let mut child = spawn(&job)?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let input = feed(&mut child, job.request.stdin.clone().unwrap_or_default());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut stdout = Output::default();
    let mut stderr = Output::default();
    let mut ended = None;
    {
        let reading = async { tokio::join!(collect(out, &mut stdout), collect(err, &mut stderr), input) };
        tokio::pin!(reading);
        let mut read = false;
        let time_up = tokio::time::sleep(job.timeout);
        tokio::pin!(time_up);
        while ended.is_none() {
            tokio::select! {
                status = child.wait() => ended = Some((status?, false)),
                _ = &mut reading, if !read => read = true,
                () = &mut time_up => { kill(group); ended = Some((child.wait().await?, true)) }
                () = cancel.cancelled() => { kill(group); ended = Some((child.wait().await?, false)) }
            }
        }
        kill(group);
        if job.sole {
            end_strays();
        }
        if !read {
            // Whoever still holds the outputs is not waited for.
            let _ = tokio::time::timeout(DRAIN, reading).await;
        }
    }
    let (status, timed_out) = ended.unwrap_or_default();
    Ok(result(&job, exit_code(status), timed_out, &stdout, &stderr))
}

fn spawn(job: &Job<'_>) -> io::Result<Child> {
    let mut line = job.line.iter();
    let program = line
        .next()
        .ok_or_else(|| io::Error::other("there is no program to execute"))?;
    Command::new(program)
        .args(line)
        .env_clear()
        .envs(job.env)
        .current_dir(&job.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

fn feed(child: &mut Child, text: String) -> impl Future<Output = ()> + use<> {
    let stdin = child.stdin.take();
    async move {
        if let Some(mut stdin) = stdin {
            // A command that does not read its input is not wrong.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    }
}

async fn collect<R: AsyncRead + Unpin>(source: Option<R>, output: &mut Output) {
    let Some(mut source) = source else { return };
    let mut buffer = vec![0; 16 * 1024];
    // A read error means that the other end is gone, which is the end.
    while let Ok(n @ 1..) = source.read(&mut buffer).await {
        let room = MAX_OUTPUT.saturating_sub(output.kept.len()).min(n);
        output.kept.extend(buffer.iter().take(room));
        output.cut += (n - room) as u64;
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // There is nobody to kill when all have ended; that is the wanted state.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1)
}

fn result(job: &Job<'_>, exit_code: i32, timed_out: bool, stdout: &Output, stderr: &Output) -> ExecResult {
    ExecResult {
        id: job.request.id.clone(),
        exit_code: if timed_out { TIMED_OUT } else { exit_code },
        stdout: String::from_utf8_lossy(&stdout.kept).into_owned(),
        stderr: String::from_utf8_lossy(&stderr.kept).into_owned(),
        timed_out,
        stdout_cut: stdout.cut,
        stderr_cut: stderr.cut,
        refused: None,
    }
}

/// Kills and reaps every child of this process, until there are none (at most for two seconds).
///
/// For processes whose only children are commands: with `set_child_subreaper`, everything that a command leaves behind
/// becomes a child of this process, in whatever session it hides.
pub fn end_strays() {
    let until = std::time::Instant::now() + Duration::from_secs(2);
    while std::time::Instant::now() < until {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        std::thread::yield_now();
    }
}

fn children() -> Vec<Pid> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
                .collect::<Vec<_>>()
        })
        .collect()
}
