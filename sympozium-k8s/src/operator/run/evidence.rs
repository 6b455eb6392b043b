//! Where the result of a run comes from: [`ResultSource`], and the order in which sources are asked.

use super::seen::{ContainerSeen, PodSeen};
use crate::crd::v1alpha1::RunUsage;
use async_trait::async_trait;
use jiff::Timestamp;
use std::{fmt, sync::Arc, time::Duration};
use sympozium_core::error::{BoxError, Classify, Retry, chain};
use sympozium_core::ids::InstanceRef;
use sympozium_core::run::{AgentResult, RunRef};
use tokio::time::timeout;

/// How long a source may take.
const SOURCE_LIMIT: Duration = Duration::from_secs(15);

/// Where a result was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The event that the bridge published.
    Event,
    /// What the gateway recorded.
    StepLog,
    /// The agent container's termination message.
    TerminationMessage,
    /// The markers in the agent container's log.
    Log,
}

impl Origin {
    /// A word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::StepLog => "step-log",
            Self::TerminationMessage => "termination-message",
            Self::Log => "log",
        }
    }
}

/// A result, and what is known with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The result.
    pub result: AgentResult,
    /// Where it was found.
    pub origin: Origin,
    /// What the gateway metered, where the source knows.
    pub usage: Option<RunUsage>,
    /// When the agent had it, where the source knows.
    pub at: Option<Timestamp>,
}

/// Which result is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The run.
    pub run: &'a RunRef,
    /// Whose it is.
    pub instance: &'a InstanceRef,
    /// Its pod, if there is one.
    pub pod: Option<&'a PodSeen>,
}

/// Knows results of runs.
#[async_trait]
pub trait ResultSource: Send + Sync {
    /// Where its results come from.
    fn origin(&self) -> Origin;

    /// The result of a run that has ended; `None` when this source has none and will not get one.
    async fn find(&self, wanted: Wanted<'_>) -> Result<Option<Found>, SourceError>;
}

/// Why a source could not answer.
#[derive(Debug, thiserror::Error)]
#[error("read the result of a run from its {origin}")]
pub struct SourceError {
    /// Which source.
    pub origin: Origin,
    /// Why.
    #[source]
    pub source: BoxError,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "event",
            Self::StepLog => "step log",
            Self::TerminationMessage => "termination message",
            Self::Log => "log",
        })
    }
}

impl Classify for SourceError {
    fn retry(&self) -> Retry {
        Retry::Backoff
    }

    fn kind(&self) -> &'static str {
        "result-source"
    }
}

/// The agent container's termination message: the same JSON as `output/result.json`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TerminationMessages;

#[async_trait]
impl ResultSource for TerminationMessages {
    fn origin(&self) -> Origin {
        Origin::TerminationMessage
    }

    async fn find(&self, wanted: Wanted<'_>) -> Result<Option<Found>, SourceError> {
        Ok(wanted.pod.and_then(from_termination_message))
    }
}

/// What the agent left in its termination message, if that is a whole result.
pub fn from_termination_message(pod: &PodSeen) -> Option<Found> {
    let ContainerSeen::Terminated { message, at, .. } = &pod.agent else {
        return None;
    };
    let result = serde_json::from_str(message.trim()).ok()?;
    Some(Found {
        result,
        origin: Origin::TerminationMessage,
        usage: None,
        at: *at,
    })
}

/// Asks sources in their order and takes the first result. While one `may_wait`, a source that fails ends the search: a
/// lesser one must not answer in its place only because it was down for a moment.
pub async fn first_of(
    sources: &[Arc<dyn ResultSource>],
    wanted: Wanted<'_>,
    may_wait: bool,
) -> Result<Option<Found>, SourceError> {
    for source in sources {
        let origin = source.origin();
        let answer = timeout(SOURCE_LIMIT, source.find(wanted)).await;
        let answer = answer.unwrap_or_else(|elapsed| {
            Err(SourceError {
                origin,
                source: elapsed.into(),
            })
        });
        match answer {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(error) if may_wait => return Err(error),
            Err(error) => {
                tracing::warn!(run = %wanted.run.uid, error = chain(&error), "a source of results is left out");
            }
        }
    }
    Ok(None)
}
