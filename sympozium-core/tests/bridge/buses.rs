//! Buses that record what they are told, and that misbehave when they are told to.

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use sympozium_core::bus::{
    BusError, BusLimits, Delivery, Envelope, EventBus, InMemoryBus, Subscription, Topic,
};

/// Records each id's first event, as consumers do that act once.
pub(crate) struct Recorder {
    pub(crate) effects: Mutex<BTreeMap<String, Envelope>>,
    /// All tries to publish.
    pub(crate) tries: Mutex<Vec<String>>,
    /// Nothing gets through.
    pub(crate) down: AtomicBool,
    /// This topic is forbidden.
    pub(crate) forbidden: Mutex<Option<Topic>>,
    pub(crate) inner: InMemoryBus,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            effects: Mutex::default(),
            tries: Mutex::default(),
            down: AtomicBool::default(),
            forbidden: Mutex::default(),
            inner: InMemoryBus::new(BusLimits::default()),
        }
    }
}

impl Recorder {
    pub(crate) fn count(&self) -> usize {
        self.effects.lock().unwrap().len()
    }

    pub(crate) fn of(&self, topic: Topic) -> Vec<Envelope> {
        let effects = self.effects.lock().unwrap();
        effects
            .values()
            .filter(|event| event.topic() == topic)
            .cloned()
            .collect()
    }

    pub(crate) fn tries(&self) -> usize {
        self.tries.lock().unwrap().len()
    }
}

#[async_trait]
impl EventBus for Recorder {
    async fn publish(&self, envelope: Envelope) -> Result<(), BusError> {
        self.tries.lock().unwrap().push(envelope.id.clone());
        tokio::task::yield_now().await;
        if self.down.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable {
                step: "publish",
                source: "it is down".into(),
            });
        }
        if *self.forbidden.lock().unwrap() == Some(envelope.topic()) {
            return Err(BusError::Forbidden {
                step: "publish",
                subject: envelope.subject.to_string(),
            });
        }
        let mut effects = self.effects.lock().unwrap();
        effects.entry(envelope.id.clone()).or_insert(envelope);
        Ok(())
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Result<Delivery, BusError>>, BusError> {
        if self.down.load(Ordering::SeqCst) {
            return Ok(stream::empty().boxed());
        }
        self.inner.subscribe(subscription).await
    }
}
