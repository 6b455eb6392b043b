//! A bus within one process: [`InMemoryBus`], for local runs and tests. Needs no runtime.
//!
//! Keeps the promises of the seam as long as the process lives, and forgets everything with it. What happens to
//! messages is decided in `state`, where time is an argument; here are only waiting and waking.

mod limits;
mod queue;
mod state;

pub use limits::BusLimits;

use super::{Acknowledge, BusError, DeadLetter, Delivery, Envelope, EventBus, Subscription};
use async_trait::async_trait;
use futures::{StreamExt, future, stream, stream::BoxStream};
use futures_timer::Delay;
use queue::Message;
use state::{State, Take};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Carries envelopes within one process. Clones are the same bus.
///
/// A reader sees what is published from its first subscription on; what no reader wants is not kept. First deliveries
/// of one subject come in the order in which they were published.
///
/// ```
/// # use futures::StreamExt;
/// # use std::time::Duration;
/// # use sympozium_core::{bus::*, ids::*};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let bus = InMemoryBus::new(BusLimits::default());
/// let mut deliveries = bus.subscribe(Subscription {
///     reader: "router".to_owned(),
///     topics: vec![Topic::AgentRunCompleted],
///     instance: None,
///     key: None,
///     ack_wait: Duration::from_secs(30),
///     max_deliver: 5,
/// }).await?;
/// let run = RunUid::random();
/// let instance = InstanceRef { namespace: Namespace::new("local").unwrap(), name: InstanceName::new("sre").unwrap() };
/// bus.publish(Envelope {
///     id: "1".to_owned(),
///     source: Source::Run(instance.namespace.clone(), run),
///     subject: Subject::new(instance, Topic::AgentRunCompleted, run.to_string()).unwrap(),
///     time: jiff::Timestamp::UNIX_EPOCH,
///     traceparent: None,
///     data: serde_json::json!({"result": "done"}),
/// }).await?;
/// let delivery = deliveries.next().await.unwrap()?;
/// assert_eq!(delivery.envelope.data["result"], "done");
/// delivery.ack().await
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct InMemoryBus {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

impl InMemoryBus {
    /// A bus without readers.
    pub fn new(limits: BusLimits) -> Self {
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(State::new(limits)),
                changed: Notify::new(),
            }),
        }
    }

    /// What could not be acted on, oldest first. Beyond [`BusLimits::dead_letters`] the oldest are forgotten.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.inner.state().dead_letters(Instant::now())
    }
}

#[async_trait]
impl EventBus for InMemoryBus {
    async fn publish(&self, envelope: Envelope) -> Result<(), BusError> {
        self.inner.state().publish(envelope, Instant::now())?;
        self.inner.changed.notify_waiters();
        Ok(())
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Result<Delivery, BusError>>, BusError> {
        let reader = subscription.reader.clone();
        self.inner.state().subscribe(subscription)?;
        // A changed subscription can change what its other streams wait for.
        self.inner.changed.notify_waiters();
        let next = |(inner, reader): (Arc<Inner>, String)| async move {
            let delivery = inner.next(&reader).await;
            Some((Ok(delivery), (inner, reader)))
        };
        Ok(stream::unfold((Arc::clone(&self.inner), reader), next).boxed())
    }
}

impl Inner {
    /// No change leaves the state half done, so what a panicked thread left is fit for use.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn next(self: &Arc<Self>, reader: &str) -> Delivery {
        loop {
            // Listening begins before looking, so that nothing that happens in between is missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let taken = self.state().take(reader, Instant::now());
            match taken {
                Take::Message(message) => return self.delivery(reader, &message),
                Take::Nothing { until: None } => changed.await,
                Take::Nothing { until: Some(until) } => {
                    let pause = until.saturating_duration_since(Instant::now());
                    future::select(changed, Delay::new(pause)).await;
                }
            }
        }
    }

    fn delivery(self: &Arc<Self>, reader: &str, message: &Message) -> Delivery {
        Delivery {
            envelope: Envelope::clone(&message.envelope),
            attempt: message.attempt,
            settle: Box::new(Handle {
                inner: Arc::clone(self),
                reader: reader.to_owned(),
                number: message.number,
                attempt: message.attempt,
            }),
        }
    }
}

/// One delivery of one message.
struct Handle {
    inner: Arc<Inner>,
    reader: String,
    number: u64,
    attempt: u32,
}

#[async_trait]
impl Acknowledge for Handle {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        self.inner.state().ack(&self.reader, self.number);
        Ok(())
    }

    async fn retry(self: Box<Self>, after: Duration) -> Result<(), BusError> {
        let now = Instant::now();
        let mut state = self.inner.state();
        state.retry(&self.reader, self.number, self.attempt, (now, after));
        drop(state);
        self.inner.changed.notify_waiters();
        Ok(())
    }

    async fn terminate(self: Box<Self>, reason: String) -> Result<(), BusError> {
        self.inner.state().terminate(&self.reader, self.number, reason);
        Ok(())
    }
}
