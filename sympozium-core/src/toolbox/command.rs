//! Executing one command, to its exact end.

use super::proxy::WayOut;
use super::spawner::Spawner;
use super::strays::{end_strays, reap};
use crate::ipc::{ExecRequest, ExecResult};
use rustix::process::{Pid, Signal};
use secrecy::ExposeSecret;
use std::{collections::BTreeMap, io, path::PathBuf, process::ExitStatus, process::Stdio, time::Duration};
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
    /// What it gets besides, and what is taken out of what it says.
    pub(super) way_out: Option<WayOut>,
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

impl Output {
    /// Leaves out a character of which only the beginning was kept.
    fn whole_characters(&mut self) {
        let begun = |len: &usize| {
            let last = self.kept.get(self.kept.len() - len..).unwrap_or_default();
            std::str::from_utf8(last)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        };
        let longest = self.kept.len().min(3);
        if self.cut > 0
            && let Some(len) = (1..=longest).find(begun)
        {
            self.kept.truncate(self.kept.len() - len);
            self.cut += len as u64;
        }
    }

    /// What was said, without what is not to be said.
    fn text(mut self, job: &Job<'_>) -> String {
        if let Some(way_out) = &job.way_out {
            self.kept = way_out.redaction.apply(self.kept, self.cut > 0);
        }
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

/// Executes it. An error means that nothing was executed.
pub(super) async fn execute(
    job: Job<'_>,
    spawner: &Spawner,
    cancel: &CancellationToken,
) -> io::Result<ExecResult> {
    let mut child = spawner.spawn(command(&job)?).await?;
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
                () = &mut time_up => ended = Some((end(&mut child, group).await?, true)),
                () = cancel.cancelled() => ended = Some((end(&mut child, group).await?, false)),
            }
        }
        end_rest(&job, group).await;
        if !read {
            // Whoever still holds the outputs is not waited for.
            let _ = tokio::time::timeout(DRAIN, reading).await;
        }
    }
    let (status, timed_out) = ended.unwrap_or_default();
    Ok(result(&job, exit_code(status), timed_out, stdout, stderr))
}

fn command(job: &Job<'_>) -> io::Result<Command> {
    let mut line = job.line.iter();
    let program = line
        .next()
        .ok_or_else(|| io::Error::other("there is no program to execute"))?;
    let mut command = Command::new(program);
    command
        .args(line)
        .env_clear()
        .envs(job.env)
        .envs(job.way_out.iter().flat_map(|way_out| {
            let env = way_out.env.iter();
            env.map(|(name, value)| (name, value.expose_secret()))
        }))
        .current_dir(&job.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
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

/// Ends a command that is still there, and its group. It may have left its group for another one.
async fn end(child: &mut Child, group: Option<Pid>) -> io::Result<ExitStatus> {
    kill(group);
    // An error means that it has ended already.
    let _ = child.start_kill();
    child.wait().await
}

/// Ends what the command has left behind.
async fn end_rest(job: &Job<'_>, group: Option<Pid>) {
    if !job.sole || cfg!(not(target_os = "linux")) {
        kill(group);
    } else if reap() {
        // No other command runs meanwhile, so nobody else waits for children.
        let _ = tokio::task::spawn_blocking(end_strays).await;
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // There is nobody to kill when all have ended; that is the wanted state.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1)
}

fn result(
    job: &Job<'_>,
    exit_code: i32,
    timed_out: bool,
    mut stdout: Output,
    mut stderr: Output,
) -> ExecResult {
    stdout.whole_characters();
    stderr.whole_characters();
    ExecResult {
        id: job.request.id.clone(),
        exit_code: if timed_out { TIMED_OUT } else { exit_code },
        timed_out,
        stdout_cut: stdout.cut,
        stderr_cut: stderr.cut,
        stdout: stdout.text(job),
        stderr: stderr.text(job),
        refused: None,
    }
}
