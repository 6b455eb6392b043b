//! Why a process could not give something up.

use crate::error::{BoxError, Classify, Retry};
use std::io;
use std::path::PathBuf;

/// A restriction that is not in force. Whoever wanted it must not go on to what it should have held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// The kernel refuses even to give privileges up.
    #[error("give up new privileges")]
    Privileges(#[source] io::Error),
    /// A path of the rules is there and can't be opened.
    #[error("open {} for a Landlock rule", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Landlock is there and refuses.
    #[error("{step} of Landlock")]
    Landlock {
        /// What was done.
        step: &'static str,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The kernel refuses a system call filter.
    #[error("install the system call filter for {what}")]
    Filter {
        /// What it is for.
        what: &'static str,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// Not on this system, or not on this processor.
    #[error("{what} needs Linux on x86-64 or 64-bit Arm")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
}

impl Classify for ConfineError {
    fn retry(&self) -> Retry {
        match self {
            Self::Privileges(_)
            | Self::Path { .. }
            | Self::Landlock { .. }
            | Self::Filter { .. }
            | Self::Unsupported { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Privileges(_) => "privileges",
            Self::Path { .. } => "path",
            Self::Landlock { .. } => "landlock",
            Self::Filter { .. } => "filter",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}
