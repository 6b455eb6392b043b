//! Who is calling: [`Authenticate`] turns what a connection presents into a [`Caller`], and handlers see nothing else.

use crate::error::{BoxError, Classify, Retry};
use crate::ids::PackName;
use crate::run::RunPlan;
use async_trait::async_trait;
use secrecy::SecretString;
use std::net::IpAddr;
use std::sync::Arc;

/// What is wanted of the gateway. Each purpose has tokens of its own, and a token for one is worth nothing for another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An agent's own: its input, model calls, web pages.
    #[default]
    Agent,
    /// A skill's way out: the forward proxy.
    Egress,
}

/// What a connection presents.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The bearer token of the request.
    pub bearer: Option<SecretString>,
    /// The name of the listener on which it came in; a listener made for one run identifies that run.
    pub listener: Option<String>,
    /// What it is presented for.
    pub purpose: Purpose,
    /// The address that it came from, so that whoever sends junk is held back alone; `None` where there is none.
    pub peer: Option<IpAddr>,
}

/// Which of a run's containers is calling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// The agent.
    Agent,
    /// The sidecar of this skill pack.
    Skill(PackName),
}

/// An authenticated run.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its plan, with the policies that hold now.
    pub plan: Arc<RunPlan>,
    /// Which part of it.
    pub principal: Principal,
}

impl Caller {
    /// A run's agent.
    pub const fn agent(plan: Arc<RunPlan>) -> Self {
        Self {
            plan,
            principal: Principal::Agent,
        }
    }
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
    /// So much was asked from where this came from that it is not looked at now.
    #[error("too many credentials came from there that had to be looked at; try again in a moment")]
    TooMany,
    /// The caller is known, and what holds for it can't be read: a policy or pack that it names is gone.
    #[error("nothing may be done for the run: {detail}")]
    Refused {
        /// What is missing or wrong, as a sentence.
        detail: String,
    },
    /// It could not be found out.
    #[error("check the caller's credentials")]
    Unavailable {
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// When a run that is not ready, or a caller that has to wait, may ask again.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);

impl Classify for AuthError {
    fn retry(&self) -> Retry {
        match self {
            Self::Unauthenticated | Self::RunEnded | Self::Refused { .. } => Retry::Never,
            Self::NotReady | Self::TooMany => Retry::After(SOON),
            Self::Unavailable { .. } => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::RunEnded => "run-ended",
            Self::NotReady => "run-not-ready",
            Self::TooMany => "too-many",
            Self::Refused { .. } => "policy-refused",
            Self::Unavailable { .. } => "auth-unavailable",
        }
    }
}
