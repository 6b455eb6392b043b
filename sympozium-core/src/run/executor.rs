//! Who makes a run happen: [`RunExecutor`], and where a run stands: [`RunPhase`].

use super::{AgentResult, RunPlan};
use crate::error::{BoxError, Classify, Retry};
use crate::ids::RunUid;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum RunPhase {
    /// Accepted; nothing exists yet.
    Pending,
    /// Waits for a slot.
    Queued,
    /// Its agent works.
    Running,
    /// Its agent waits for a person.
    AwaitingApproval,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended because somebody wished so.
    Cancelled,
}

impl RunPhase {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Queued,
        Self::Running,
        Self::AwaitingApproval,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// True when nothing follows.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Queued | Self::Running | Self::AwaitingApproval => false,
        }
    }

    /// The name in `status.phase`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::AwaitingApproval => "AwaitingApproval",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl fmt::Display for RunPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an executor sees of a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Observed {
    /// Nothing exists.
    Nothing,
    /// It is being made; the agent has not started.
    Starting,
    /// The agent works.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// The agent has ended.
    Finished {
        /// Its exit code; 128 + n after signal n.
        exit_code: i32,
        /// The result that it left; `None` when it left none.
        result: Option<AgentResult>,
        /// When.
        at: Timestamp,
    },
}

/// Carries out run plans.
#[async_trait]
pub trait RunExecutor: Send + Sync {
    /// Makes the run exist. Repeating it changes nothing.
    async fn ensure(&self, plan: &RunPlan) -> Result<(), ExecError>;

    /// What is there of it.
    async fn observe(&self, run: RunUid) -> Result<Observed, ExecError>;

    /// Waits until what [`observe`](Self::observe) would say has changed from `last`, and says it. Cancel by dropping.
    async fn changed(&self, run: RunUid, last: &Observed) -> Result<Observed, ExecError>;

    /// Ends it: first asks the agent, after its grace kills everything. Nothing happens if it has ended.
    async fn cancel(&self, run: RunUid) -> Result<(), ExecError>;

    /// Removes what is left of an ended run. Nothing happens if nothing is left.
    async fn remove(&self, run: RunUid) -> Result<(), ExecError>;
}

/// Why an executor could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// This plan can't be carried out here.
    #[error("this run can't be carried out here: {detail}")]
    Unsupported {
        /// What and why.
        detail: String,
    },
    /// Nothing can keep the run apart from this machine, as it was asked to.
    #[error("no sandbox can be made for this run")]
    NoSandbox {
        /// What is missing, and what to do about it.
        #[source]
        source: BoxError,
    },
    /// A step failed.
    #[error("{step}")]
    Failed {
        /// Which step, and of what.
        step: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The executor knows nothing of this run.
    #[error("there is no run {0}")]
    NotFound(RunUid),
}

impl Classify for ExecError {
    fn retry(&self) -> Retry {
        match self {
            Self::Unsupported { .. } | Self::NoSandbox { .. } | Self::NotFound(_) => Retry::Never,
            Self::Failed { .. } => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "unsupported",
            Self::NoSandbox { .. } => "no-sandbox",
            Self::Failed { .. } => "failed",
            Self::NotFound(_) => "not-found",
        }
    }
}
