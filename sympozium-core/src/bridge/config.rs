//! What a bridge is told, and why it ends before it is told to.

use super::last_words::TerminationMessage;
use crate::error::{Classify, Retry};
use crate::ids::{InstanceRef, PackName, RunUid};
use crate::ipc::mailbox::MailboxError;
use std::path::PathBuf;
use std::time::Duration;

/// What a bridge is told.
#[derive(Debug, Clone)]
pub struct BridgeConfig {
    /// The root of the mailbox, `/ipc`.
    pub ipc: PathBuf,
    /// The run, by which everything is keyed.
    pub run: RunUid,
    /// The run's instance.
    pub instance: InstanceRef,
    /// Its executors: packs and `sandbox`.
    pub executors: Vec<PackName>,
    /// How long it may take to send what is left when it is told to end.
    pub grace: Duration,
    /// Where it says what could not be sent.
    pub termination_message: Option<TerminationMessage>,
}

/// Why a bridge ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The mailbox can't be used.
    #[error("use the mailbox")]
    Mailbox(#[from] MailboxError),
}

impl Classify for BridgeError {
    fn retry(&self) -> Retry {
        match self {
            Self::Mailbox(error) => error.retry(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Mailbox(error) => error.kind(),
        }
    }
}
