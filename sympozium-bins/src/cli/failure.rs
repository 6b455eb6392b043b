//! How a command ends when it can't do what it was asked: one sentence for people, one exit code for programs.

use std::fmt;
use std::process::ExitCode;
use sympozium_core::error::chain;
use sympozium_core::store::StoreError;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It did what it was asked.
    Success,
    /// It tried and failed.
    Failed,
    /// What it was given can't be used.
    BadInput,
    /// A policy or a budget refused.
    Refused,
    /// The time was up.
    Deadline,
    /// Somebody cancelled it.
    Cancelled,
}

impl Exit {
    /// The process's exit code.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::Refused => 3,
            Self::Deadline => 4,
            Self::Cancelled => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// How the program ends.
    pub(super) exit: Exit,
    /// What is wrong and, where one can, what to do: one sentence, without a secret in it.
    message: String,
}

impl Failure {
    /// What was given can't be used.
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::new(Exit::BadInput, message)
    }

    /// It was tried and failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// A failure that ends the program in this way.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = format!("{}.", chain(&error));
        match error {
            StoreError::NotFound { .. } | StoreError::Invalid { .. } => Self::input(message),
            StoreError::Unavailable { .. } | StoreError::Conflict { .. } | StoreError::Corrupt { .. } => {
                Self::failed(message)
            }
            // Kinds of errors that come later are failures until somebody says otherwise.
            _ => Self::failed(message),
        }
    }
}
