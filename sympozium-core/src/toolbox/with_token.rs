//! The first process of a container whose command is not ours: starts it, ends it, and leaves nothing of it behind.

use super::proxy::{ProxyError, read_token};
use super::strays::end_strays;
use crate::error::{Classify, Retry};
use crate::run::pod_contract::GatewayAccess;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use secrecy::{ExposeSecret, SecretString};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long the command may take to end when it is asked to. With what ending the rest may take, it is below five seconds.
const GRACE: Duration = Duration::from_millis(2500);
/// The exit code when the command's time was up.
const TIME_UP: u8 = 4;

/// A command of somebody else's, and what it is given.
#[derive(Debug, Clone)]
pub struct WithToken {
    /// The command line. Looked for in `PATH`; no shell is involved.
    pub command: Vec<OsString>,
    /// The gateway, for clients of OpenAI: the token becomes `OPENAI_API_KEY`. `None` = the command gets no token.
    pub access: Option<GatewayAccess>,
    /// How long the command may take.
    pub timeout: Option<Duration>,
}

/// Why a command was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WithTokenError {
    /// There is none.
    #[error("there is no command behind --")]
    NoCommand,
    /// It can't be given its token.
    #[error("give the command its token")]
    Token(#[from] ProxyError),
    /// It can't be executed.
    #[error("start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// This process can't be told of its end.
    #[error("make ready for the command's end")]
    Signals(#[source] io::Error),
}

impl WithTokenError {
    /// The exit code, as shells have it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Self::Start { .. } => 126,
            Self::NoCommand => 2,
            Self::Token(_) | Self::Signals(_) => 1,
        }
    }
}

impl Classify for WithTokenError {
    fn retry(&self) -> Retry {
        match self {
            Self::NoCommand | Self::Start { .. } => Retry::Never,
            Self::Token(error) => error.retry(),
            Self::Signals(_) => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoCommand => "no-command",
            Self::Token(error) => error.kind(),
            Self::Start { .. } => "start",
            Self::Signals(_) => "signals",
        }
    }
}

/// Why the command has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Asked,
    TimeUp,
}

impl WithToken {
    /// Starts the command and waits for its end. Returns its exit code: 128 + n after signal n, 4 when its time was up.
    ///
    /// When it is stopped, the command is asked to end and then killed; in any case everything below this process is
    /// killed before this returns. Only for a process that has no other children ([`super::prepare_process`]), on a runtime
    /// with signals.
    pub async fn run(self, stop: &CancellationToken) -> Result<u8, WithTokenError> {
        // Before the command is there, so that its end can't be missed.
        let mut children = signal(SignalKind::child()).map_err(WithTokenError::Signals)?;
        let child = self.start()?;
        let pid = Pid::from_child(&child);
        let time_up = async {
            match self.timeout {
                Some(timeout) => sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(time_up);
        let mut reason = None;
        let status = loop {
            if let Some(status) = reap(pid) {
                break status;
            }
            tokio::select! {
                _ = children.recv() => {}
                () = stop.cancelled(), if reason.is_none() => reason = Some(Reason::Asked),
                () = &mut time_up, if reason.is_none() => reason = Some(Reason::TimeUp),
            }
            if reason.is_some() {
                break end(pid, &mut children).await;
            }
        };
        end_strays();
        Ok(match reason {
            Some(Reason::TimeUp) => TIME_UP,
            Some(Reason::Asked) | None => code(status),
        })
    }

    fn start(&self) -> Result<Child, WithTokenError> {
        let (program, arguments) = self.command.split_first().ok_or(WithTokenError::NoCommand)?;
        let mut command = Command::new(program);
        // A group of its own, so that the command and what it has started are asked to end together.
        command.args(arguments).process_group(0);
        if let Some(access) = &self.access {
            let token = read_token(&access.token_file)?;
            for (name, value) in environment(access, &token) {
                command.env(name, value.expose_secret());
            }
        }
        command.spawn().map_err(|source| WithTokenError::Start {
            program: program.display().to_string(),
            source,
        })
    }
}

/// What clients of OpenAI look for. Pure.
fn environment(access: &GatewayAccess, token: &SecretString) -> [(&'static str, SecretString); 5] {
    let ca = || SecretString::from(access.ca_file.display().to_string());
    let base = format!("{}/v1", access.url.as_str().trim_end_matches('/'));
    [
        ("OPENAI_API_KEY", token.clone()),
        ("OPENAI_BASE_URL", base.into()),
        ("SSL_CERT_FILE", ca()),
        ("REQUESTS_CA_BUNDLE", ca()),
        ("NODE_EXTRA_CA_CERTS", ca()),
    ]
}

/// Asks the command and its group to end, and kills them when they don't.
async fn end(pid: Pid, children: &mut tokio::signal::unix::Signal) -> Option<WaitStatus> {
    // An error means that it has ended; that is the wanted state.
    let _ = rustix::process::kill_process_group(pid, Signal::TERM);
    let late = sleep(GRACE);
    tokio::pin!(late);
    loop {
        if let Some(status) = reap(pid) {
            return status;
        }
        tokio::select! {
            _ = children.recv() => {}
            () = &mut late => break,
        }
    }
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    rustix::process::waitpid(Some(pid), WaitOptions::empty())
        .ok()
        .flatten()
        .map(|(_, status)| status)
}

/// Reaps all children that have ended. `Some` when the command is among them, or nobody is left.
#[expect(
    clippy::option_option,
    reason = "whether it ended, and how, when that is known"
)]
fn reap(command: Pid) -> Option<Option<WaitStatus>> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => return Some(Some(status)),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return None,
            Err(_) => return Some(None),
        }
    }
}

fn code(status: Option<WaitStatus>) -> u8 {
    let code = status.and_then(|status| {
        let signalled = || status.terminating_signal().map(|signal| 128 + signal);
        status.exit_status().or_else(signalled)
    });
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_openai_finds_all_that_it_looks_for() {
        let access = GatewayAccess {
            url: "https://gateway:8443/".parse().unwrap(),
            token_file: "/t".into(),
            ca_file: "/ca.crt".into(),
        };
        let env = environment(&access, &"the-token".to_owned().into());
        let env = env.each_ref().map(|(name, value)| (*name, value.expose_secret()));
        let expected = [
            ("OPENAI_API_KEY", "the-token"),
            ("OPENAI_BASE_URL", "https://gateway:8443/v1"),
            ("SSL_CERT_FILE", "/ca.crt"),
            ("REQUESTS_CA_BUNDLE", "/ca.crt"),
            ("NODE_EXTRA_CA_CERTS", "/ca.crt"),
        ];
        assert_eq!(env, expected);
    }
}
