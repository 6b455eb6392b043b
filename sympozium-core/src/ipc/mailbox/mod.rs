//! The mailbox on disk: files that appear whole, are found whenever they were written, and are never lost.
//!
//! [`write_json`] writes; [`Inbox`] reads; [`wait_for`] waits for one file. Reading is event-driven: the kernel wakes
//! the reader, which then looks at the folder. What was missed while nobody watched is found by that look.
//!
//! Whoever writes in a folder may be hostile to whoever reads it. So a folder is opened once ([`OpenFolder`]), all else is
//! done beneath it without following a link, nothing is read that is not a regular file, and everything has a bound.

mod folder;
mod inbox;
mod scan;
mod set_aside;
mod watch;
mod write;

// Pipes and devices are made in other ways elsewhere.
#[cfg(target_os = "linux")]
#[cfg(test)]
mod flooded_tests;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod hostile_tests;

pub use folder::{OpenFolder, read_whole};
pub use inbox::{Inbox, InboxConfig, Item};
pub use watch::{FolderWatch, wait_for};
pub use write::{make_folders, make_folders_for, write_bytes, write_json};

use crate::error::{Classify, Retry};
use std::{io, path::PathBuf};

/// Why the mailbox could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// The system said no.
    #[error("{step} {path}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel can't watch the folder.
    #[error("watch {path}")]
    Watch {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: notify::Error,
    },
    /// A value can't be written as JSON.
    #[error("write {name} as JSON")]
    Json {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A file is there, but not usable. It was set aside, with the reason beside it, or removed.
    #[error("{name} was set aside: {reason}")]
    Rejected {
        /// The file.
        name: String,
        /// Why.
        reason: String,
    },
    /// It did not come in time.
    #[error("{name} did not come in time")]
    Timeout {
        /// The file.
        name: String,
    },
    /// The waiting was cancelled.
    #[error("waiting for {name} was cancelled")]
    Cancelled {
        /// The file.
        name: String,
    },
}

impl Classify for MailboxError {
    fn retry(&self) -> Retry {
        match self {
            Self::Io { .. } | Self::Watch { .. } | Self::Timeout { .. } => Retry::Backoff,
            Self::Json { .. } | Self::Rejected { .. } | Self::Cancelled { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Watch { .. } => "watch",
            Self::Json { .. } => "json",
            Self::Rejected { .. } => "rejected",
            Self::Timeout { .. } => "timeout",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

impl MailboxError {
    /// Says at which step with which file the system failed; for `map_err`.
    pub fn io(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { step, path, source }
    }
}
