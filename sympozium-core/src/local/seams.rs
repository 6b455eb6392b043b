//! What a local run needs from the program that it is embedded in: a gateway, a person, somebody who listens.

use crate::error::BoxError;
use crate::ids::RunUid;
use crate::ipc::{ApprovalAnswer, ApprovalRequest, StatusUpdate, StreamChunk};
use crate::run::RunPlan;
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;

/// Opens and closes the gateway socket of each run.
#[async_trait]
pub trait RunGateway: Send + Sync {
    /// Makes this run's gateway listen on `socket` (mode 0600; the folder above it is private). Returns when a connection
    /// would be accepted.
    async fn open(&self, plan: &Arc<RunPlan>, socket: &Path) -> Result<(), BoxError>;

    /// Stops serving that run and removes the socket. Nothing happens if it is not served.
    async fn close(&self, run: RunUid);
}

/// A person's answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAnswer {
    /// Yes or no.
    pub answer: ApprovalAnswer,
    /// Why, for the model; may be empty.
    pub reason: String,
}

impl LocalAnswer {
    /// Yes.
    pub fn approved() -> Self {
        Self {
            answer: ApprovalAnswer::Approved,
            reason: String::new(),
        }
    }

    /// No, and why.
    pub fn denied(reason: impl Into<String>) -> Self {
        Self {
            answer: ApprovalAnswer::Denied,
            reason: reason.into(),
        }
    }
}

/// Asks the person in front of this machine.
#[async_trait]
pub trait LocalApprover: Send + Sync {
    /// Waits for the answer. `request.arguments` are exactly what will be executed: show them. Dropped when the run ends.
    async fn decide(&self, run: RunUid, request: &ApprovalRequest) -> LocalAnswer;
}

/// For runs in front of which nobody sits: everything that needs a person is denied.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyAnswers;

#[async_trait]
impl LocalApprover for NobodyAnswers {
    async fn decide(&self, _: RunUid, _: &ApprovalRequest) -> LocalAnswer {
        LocalAnswer::denied("Nobody is there who could approve it.")
    }
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LocalEvent {
    /// A sentence on what of the plan does not hold on this machine. Told before anything starts.
    Shortfall(String),
    /// A process was started.
    Started {
        /// Which.
        process: LocalProcess,
        /// Its process id.
        pid: u32,
    },
    /// A process ended.
    Ended {
        /// Which.
        process: LocalProcess,
        /// Its exit code; 128 + n after signal n.
        exit_code: i32,
        /// The end of what it wrote to its standard error, at most 4 KiB.
        complaint: String,
    },
    /// A piece of what the agent says and does.
    Stream(StreamChunk),
    /// What the agent is doing.
    Status(StatusUpdate),
    /// The agent asks a person.
    Asked(ApprovalRequest),
    /// The person's answer was handed over.
    Answered {
        /// The question.
        request: ApprovalRequest,
        /// The answer.
        answer: LocalAnswer,
    },
    /// A request was refused, because it needs a cluster.
    Refused {
        /// What it was: `message`, `spawn`, `schedule`.
        what: &'static str,
        /// Why, as the agent was told.
        detail: String,
    },
    /// A file that the agent wrote is not usable and was set aside.
    Rejected {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something of ours failed; the run goes on or ends without it.
    Fault(String),
}

/// A process of a local run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LocalProcess {
    /// The agent.
    Runner,
    /// The executor of that pack, or `sandbox`.
    Toolbox(crate::ids::PackName),
}

impl std::fmt::Display for LocalProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runner => f.write_str("runner"),
            Self::Toolbox(pack) => write!(f, "toolbox {pack}"),
        }
    }
}

/// Is told what happens in local runs. Must be quick: the run waits for it. `()` ignores everything.
pub trait LocalEvents: Send + Sync {
    /// Takes one event.
    fn on(&self, run: RunUid, event: LocalEvent);
}

impl LocalEvents for () {
    fn on(&self, _: RunUid, _: LocalEvent) {}
}
