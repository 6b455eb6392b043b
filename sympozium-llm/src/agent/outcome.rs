//! How an agent loop ended.

use sympozium_core::llm::LlmError;
use sympozium_core::run::LimitHit;

/// Why a loop ended without an answer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The model, its provider or the loop failed.
    Agent,
    /// The run was given something that nobody can work with.
    Input,
    /// A policy or a budget refused it.
    Refused,
    /// The time was up.
    Deadline,
    /// Somebody cancelled the run.
    Cancelled,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which kind of end it is.
    pub class: FailureClass,
    /// One sentence for people.
    pub message: String,
}

impl Failure {
    /// A failure of that class.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
        }
    }

    /// What a failed model call means for the run.
    pub fn of(error: &LlmError) -> Self {
        let class = match error {
            LlmError::Refused { .. } => FailureClass::Refused,
            LlmError::Cancelled => FailureClass::Cancelled,
            // Every other error, those of later versions included, is the agent's failure.
            _ => FailureClass::Agent,
        };
        Self::new(class, sympozium_core::error::chain(error))
    }
}

/// How a loop ended. Work is never thrown away: `answer` holds what there is, whatever else happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The answer; after a failure the last words before it, possibly none.
    pub answer: String,
    /// The bound that ended it early.
    pub limit: Option<LimitHit>,
    /// Why `answer` is no answer; `None` = it is one.
    pub failure: Option<Failure>,
}
