//! The event bus on NATS JetStream: [`NatsBus`], for an installation of many processes.
//!
//! Keeps the promises of the seam across restarts of the server and of every client. What is decided (streams, readers,
//! what a message is, what an answer means) is decided in pure functions; `link` alone talks to the server.
//!
//! A client may do only what its principal may ([`Principal`](super::Principal)). A pod reads through a reader that the
//! operator has prepared ([`Readers::Prepared`]), so it needs no right to make one.

mod answer;
#[cfg(feature = "nats-callout")]
pub mod callout;
mod connect;
mod dead_letters;
mod link;
mod message;
mod reader;
mod settings;
mod settle;
mod streams;
mod violations;

pub use settings::{Credential, NatsSettings, Readers};
pub use streams::StreamLimits;

use super::{BusError, DeadLetter, Delivery, Envelope, EventBus, StreamKind, Subscription};
use async_trait::async_trait;
use futures::{StreamExt, stream, stream::BoxStream};
use link::Link;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Carries envelopes through a NATS server. Clones share one connection.
#[derive(Debug, Clone)]
pub struct NatsBus {
    link: Arc<Link>,
}

impl NatsBus {
    /// Connects. Fails when the server can't be reached or refuses the credential; once connected it reconnects by itself,
    /// without end, and reads its credential again each time.
    pub async fn connect(settings: NatsSettings) -> Result<Self, BusError> {
        let link = Link::connect(settings).await?;
        Ok(Self { link: Arc::new(link) })
    }

    /// Makes the three streams, or brings their limits up to date. Repeating it changes nothing. Needs the operator's rights.
    pub async fn ensure_streams(&self, limits: &StreamLimits) -> Result<(), BusError> {
        for stream in streams::all(limits) {
            self.link.ensure_stream(&stream).await?;
        }
        Ok(())
    }

    /// Makes a reader without reading, for a pod that may not make its own. Repeating it changes nothing.
    pub async fn prepare_reader(&self, subscription: &Subscription) -> Result<(), BusError> {
        subscription.check()?;
        for stream in StreamKind::ALL {
            if !subscription.filters(stream).is_empty() {
                self.link.make_reader(stream, subscription).await?;
            }
        }
        Ok(())
    }

    /// Forgets a reader and what it has not read. A reader that is not there is forgotten already.
    pub async fn remove_reader(&self, reader: &str) -> Result<(), BusError> {
        for stream in StreamKind::ALL {
            self.link.remove_reader(stream, reader).await?;
        }
        Ok(())
    }

    /// The names of all readers, in order: what an operator compares with what should be there.
    pub async fn readers(&self) -> Result<Vec<String>, BusError> {
        let mut names = Vec::new();
        for stream in StreamKind::ALL {
            names.extend(self.link.reader_names(stream).await?);
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Turns the server's notices of messages that were given up into dead letters, until `stop`. One operator of an
    /// installation does this at a time, or several that share the work; what happens while none does is made up for.
    pub async fn keep_dead_letters(&self, stop: &CancellationToken) -> Result<(), BusError> {
        dead_letters::keep(&self.link, stop).await
    }

    /// The oldest dead letters, at most `limit`.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        dead_letters::list(&self.link, limit).await
    }

    /// Whether there is a connection at this moment.
    pub fn is_connected(&self) -> bool {
        self.link.is_connected()
    }

    /// How many messages were dropped because they were no events, or named a source that may not speak under their subject.
    pub fn malformed(&self) -> u64 {
        self.link.malformed()
    }

    /// Ends all delivery streams, sends what is under way, and waits until the connection is closed.
    pub async fn close(&self) {
        self.link.close().await;
    }
}

#[async_trait]
impl EventBus for NatsBus {
    async fn publish(&self, envelope: Envelope) -> Result<(), BusError> {
        let outgoing = message::encode(&envelope)?;
        let stream = envelope.topic().stream().name();
        self.link.store(stream, outgoing).await
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Result<Delivery, BusError>>, BusError> {
        subscription.check()?;
        let mut parts = Vec::new();
        for stream in StreamKind::ALL {
            if !subscription.filters(stream).is_empty() {
                parts.push(reader::open(&self.link, stream, &subscription).await?);
            }
        }
        let stop = self.link.stop.clone().cancelled_owned();
        Ok(stream::select_all(parts).take_until(stop).boxed())
    }
}
