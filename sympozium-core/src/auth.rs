//! Who is calling: [`Authenticate`] turns what a connection presents into a [`Caller`], and handlers see nothing else.

use crate::error::{BoxError, Classify, Retry};
use crate::run::RunPlan;
use async_trait::async_trait;
use secrecy::SecretString;
use std::sync::Arc;

/// What a connection presents.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The bearer token of the request.
    pub bearer: Option<SecretString>,
    /// The name of the listener on which it came in; a listener made for one run identifies that run.
    pub listener: Option<String>,
}

/// An authenticated run.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its plan, with the policies that hold now.
    pub plan: Arc<RunPlan>,
}

/// Identifies callers.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// The run that presents these credentials.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Caller, AuthError>;
}

/// Why a caller was not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Nothing was presented, or nothing that is known.
    #[error("the credentials are missing or not valid")]
    Unauthenticated,
    /// The run has ended; its credentials are void.
    #[error("the run has ended")]
    RunEnded,
    /// The run is known but not yet ready to be served.
    #[error("the run is not ready yet")]
    NotReady,
    /// It could not be found out.
    #[error("check the caller's credentials")]
    Unavailable {
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl Classify for AuthError {
    fn retry(&self) -> Retry {
        match self {
            Self::Unauthenticated | Self::RunEnded => Retry::Never,
            Self::NotReady | Self::Unavailable { .. } => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::RunEnded => "run-ended",
            Self::NotReady => "run-not-ready",
            Self::Unavailable { .. } => "auth-unavailable",
        }
    }
}
