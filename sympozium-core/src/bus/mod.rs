//! How the parts of an installation talk: typed [`Topic`]s, CloudEvents [`Envelope`]s, and the seam [`EventBus`].
//!
//! Delivery is at least once. A consumer acknowledges after it has acted, and acts so that a repetition changes nothing.

mod dead_letter;
mod envelope;
mod in_memory;
#[cfg(feature = "nats")]
pub mod nats;
mod principal;
mod run_reader;
mod subscription;
mod topic;

pub use dead_letter::DeadLetter;
pub use envelope::{Envelope, EnvelopeError, Source};
pub use in_memory::{BusLimits, InMemoryBus};
pub use principal::{Permissions, Principal};
pub use run_reader::run_reader;
pub use subscription::Subscription;
pub use topic::{Speaker, StreamKind, Subject, SubjectError, Topic};

use crate::error::{BoxError, Classify, Retry};
use async_trait::async_trait;
use futures::stream::BoxStream;
use std::{fmt, time::Duration};

/// Carries envelopes.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Hands an envelope over. Returns when it is stored. Publishing the same id again stores nothing more. A source that
    /// may not speak under the subject is refused ([`Envelope::check_source`]).
    async fn publish(&self, envelope: Envelope) -> Result<(), BusError>;

    /// Deliveries to a named, durable reader. Readers of one name share the work; what one has not acknowledged comes again.
    ///
    /// A reader sees what is published from its first subscription on. The stream mends itself after an outage; an error
    /// in it is one that waiting does not cure.
    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Result<Delivery, BusError>>, BusError>;
}

/// What a delivery does when it is done with.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    /// Acted on; never again.
    async fn ack(self: Box<Self>) -> Result<(), BusError>;
    /// Not acted on; again after a pause.
    async fn retry(self: Box<Self>, after: Duration) -> Result<(), BusError>;
    /// Can never be acted on; to the dead letters, with the reason.
    async fn terminate(self: Box<Self>, reason: String) -> Result<(), BusError>;
}

/// A delivered envelope, to be acknowledged after the effect. Dropped without a word, it comes again after `ack_wait`.
pub struct Delivery {
    /// The message.
    pub envelope: Envelope,
    /// How often it has been delivered, this time included.
    pub attempt: u32,
    /// How to be done with it.
    pub settle: Box<dyn Acknowledge>,
}

impl Delivery {
    /// Acted on; never again.
    pub async fn ack(self) -> Result<(), BusError> {
        self.settle.ack().await
    }

    /// Not acted on; again after a pause.
    pub async fn retry(self, after: Duration) -> Result<(), BusError> {
        self.settle.retry(after).await
    }

    /// Can never be acted on; to the dead letters.
    pub async fn terminate(self, reason: impl Into<String> + Send) -> Result<(), BusError> {
        self.settle.terminate(reason.into()).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("envelope", &self.envelope)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// Why the bus could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// It can't be reached, or did not confirm.
    #[error("{step}: the event bus is unavailable")]
    Unavailable {
        /// What was being done.
        step: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The caller may not do that.
    #[error("{step}: not permitted on {subject}")]
    Forbidden {
        /// What was being done.
        step: &'static str,
        /// On which subject.
        subject: String,
    },
    /// The credential was not accepted. It may be soon: a run can be known a moment after its pod has started.
    #[error("connect: the event bus does not accept the credential: {detail}")]
    Unauthenticated {
        /// The client's words; the reason is in the server's log.
        detail: String,
    },
    /// There is no room at the moment: a reader has not kept up, or a stream has reached its size.
    #[error("{step}: the event bus is full: {detail}")]
    Full {
        /// What was being done.
        step: &'static str,
        /// What is full.
        detail: String,
    },
    /// It can never be accepted, such as a message that is too large.
    #[error("{step}: refused: {detail}")]
    Refused {
        /// What was being done.
        step: &'static str,
        /// Why.
        detail: String,
    },
}

impl Classify for BusError {
    fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { .. } | Self::Unauthenticated { .. } | Self::Full { .. } => Retry::Backoff,
            Self::Forbidden { .. } | Self::Refused { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "bus-unavailable",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::Full { .. } => "bus-full",
            Self::Forbidden { .. } => "forbidden",
            Self::Refused { .. } => "refused",
        }
    }
}
