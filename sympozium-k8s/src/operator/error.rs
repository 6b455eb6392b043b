//! Why a look at an object failed: [`Error`].

use super::run::SourceError;
use std::time::Duration;
use sympozium_core::error::{Classify, Retry};
use sympozium_core::store::StoreError;

/// Why a look at an object failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API server did not do it.
    #[error("{verb} {resource} {name}")]
    Api {
        /// What was asked for, such as `apply`.
        verb: &'static str,
        /// Of which kind, such as `jobs`.
        resource: &'static str,
        /// Namespace and name.
        name: String,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error("{verb} {resource} {name}: no answer within {limit:?}")]
    Timeout {
        /// What was asked for.
        verb: &'static str,
        /// Of which kind.
        resource: &'static str,
        /// Namespace and name.
        name: String,
        /// How long was waited.
        limit: Duration,
    },
    /// A source of results could not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An instance's memory could not be saved.
    #[error("save the memory of an instance")]
    Memory(#[from] StoreError),
    /// An object is not as it must be, whatever is tried.
    #[error("{what}")]
    Invalid {
        /// Which, and what is wrong.
        what: String,
    },
}

impl Error {
    /// The answer's HTTP status, if there was an answer.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Timeout { .. } | Self::Source(_) | Self::Memory(_) | Self::Invalid { .. } => None,
        }
    }

    /// True when there is nothing of that name.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// True when there is something of that name already. Not every conflict says so.
    pub fn is_already_there(&self) -> bool {
        match self {
            Self::Api { source, .. } => {
                matches!(source.as_ref(), kube::Error::Api(status) if status.is_already_exists())
            }
            Self::Timeout { .. } | Self::Source(_) | Self::Memory(_) | Self::Invalid { .. } => false,
        }
    }

    /// True when somebody else was faster.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Api { .. } => match self.code() {
                Some(409) => Retry::Now,
                // What is forbidden or malformed can become right by what others change: look again, but seldom.
                Some(400 | 401 | 403 | 404 | 410 | 413 | 422) => Retry::After(Duration::from_secs(30)),
                Some(_) | None => Retry::Backoff,
            },
            Self::Timeout { .. } => Retry::Backoff,
            Self::Source(error) => error.retry(),
            Self::Memory(error) => error.retry(),
            Self::Invalid { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Api { .. } => match self.code() {
                Some(401 | 403) => "forbidden",
                Some(404) => "not-found",
                Some(409) => "conflict",
                Some(422 | 400) => "invalid",
                Some(429) => "too-many-requests",
                Some(_) => "api-server",
                None => "unreachable",
            },
            Self::Timeout { .. } => "timeout",
            Self::Source(error) => error.kind(),
            Self::Memory(_) => "memory",
            Self::Invalid { .. } => "invalid-object",
        }
    }
}
