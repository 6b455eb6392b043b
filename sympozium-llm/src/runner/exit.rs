//! How the runner's process ends.

use crate::agent::FailureClass;

/// The exit codes that executors and people rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerExit {
    /// There is an answer, possibly after a limit was hit (`limit` in the result says which).
    Success,
    /// The agent failed: model, provider, gateway, or no answer.
    AgentError,
    /// It was given something that it can't work with.
    BadInput,
    /// A policy or a budget refused it.
    Refused,
    /// The time was up before there was an answer.
    Deadline,
    /// It was cancelled.
    Cancelled,
}

impl RunnerExit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::AgentError => 1,
            Self::BadInput => 2,
            Self::Refused => 3,
            Self::Deadline => 4,
            Self::Cancelled => 130,
        }
    }
}

impl From<Option<FailureClass>> for RunnerExit {
    fn from(class: Option<FailureClass>) -> Self {
        match class {
            None => Self::Success,
            Some(FailureClass::Agent) => Self::AgentError,
            Some(FailureClass::Input) => Self::BadInput,
            Some(FailureClass::Refused) => Self::Refused,
            Some(FailureClass::Deadline) => Self::Deadline,
            Some(FailureClass::Cancelled) => Self::Cancelled,
        }
    }
}
