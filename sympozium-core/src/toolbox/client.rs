//! Asking an executor and waiting for its answer.

use crate::error::{Classify, Retry};
use crate::ipc::mailbox::{MailboxError, wait_for, write_json};
use crate::ipc::{ExecRequest, ExecResult};
use std::{path::PathBuf, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How much longer than the command itself the answer may take.
const SLACK: Duration = Duration::from_secs(10);

/// Asks one executor.
#[derive(Debug, Clone)]
pub struct ExecClient {
    tools_dir: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The executor did not answer in time; it may be gone.
    #[error("the executor did not answer within {0:?}")]
    NoAnswer(Duration),
    /// The run was cancelled meanwhile.
    #[error("the command was cancelled")]
    Cancelled,
    /// Its answer makes no sense.
    #[error("the executor's answer could not be understood")]
    Malformed(#[source] serde_json::Error),
    /// The request could not be handed over.
    #[error("hand the command to its executor")]
    Mailbox(#[source] MailboxError),
}

impl Classify for ExecError {
    fn retry(&self) -> Retry {
        match self {
            Self::NoAnswer(_) | Self::Malformed(_) | Self::Cancelled => Retry::Never,
            Self::Mailbox(error) => error.retry(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "no-answer",
            Self::Cancelled => "cancelled",
            Self::Malformed(_) => "malformed",
            Self::Mailbox(_) => "mailbox",
        }
    }
}

impl ExecClient {
    /// Asks the executor of that folder (`tools/<pack>`).
    pub fn new(tools_dir: impl Into<PathBuf>) -> Self {
        Self {
            tools_dir: tools_dir.into(),
        }
    }

    /// Hands a request over and waits for its result. Asking again with the same id gives the same result.
    pub async fn execute(
        &self,
        request: &ExecRequest,
        cancel: &CancellationToken,
    ) -> Result<ExecResult, ExecError> {
        let seconds = request.timeout.unwrap_or(120).clamp(1, 120);
        let limit = Duration::from_secs(u64::from(seconds)) + SLACK;
        let (asked, answered) = (
            format!("exec-request-{}.json", request.id),
            format!("exec-result-{}.json", request.id),
        );
        write_json(&self.tools_dir, &asked, request).map_err(ExecError::Mailbox)?;
        let waited = wait_for(&self.tools_dir, &answered, Instant::now() + limit, cancel).await;
        let bytes = waited.map_err(|error| {
            // What nobody waits for any more must not be executed later.
            let _ = std::fs::remove_file(self.tools_dir.join(&asked));
            match error {
                MailboxError::Timeout { .. } => ExecError::NoAnswer(limit),
                MailboxError::Cancelled { .. } => ExecError::Cancelled,
                other => ExecError::Mailbox(other),
            }
        })?;
        // The executor remembers the result; the file has served.
        let _ = std::fs::remove_file(self.tools_dir.join(&answered));
        serde_json::from_slice(&bytes).map_err(ExecError::Malformed)
    }
}
