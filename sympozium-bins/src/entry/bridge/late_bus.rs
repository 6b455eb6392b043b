//! A bus that is connected to when it is first needed, and again when that fails.

use async_trait::async_trait;
use futures::stream::BoxStream;
use std::time::Duration;
use sympozium_core::bus::nats::{NatsBus, NatsSettings};
use sympozium_core::bus::{BusError, Delivery, Envelope, EventBus, Subscription};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// How long what is under way may take to be sent when all else is done.
const CLOSE: Duration = Duration::from_millis(500);

/// The bus of a pod: it may come up after the pod, and not know the run yet.
pub(super) struct LateBus {
    settings: NatsSettings,
    connected: OnceCell<NatsBus>,
}

impl LateBus {
    pub(super) fn new(settings: NatsSettings) -> Self {
        Self {
            settings,
            connected: OnceCell::new(),
        }
    }

    /// One connects at a time, and the others wait for it.
    async fn bus(&self) -> Result<&NatsBus, BusError> {
        let connect = || NatsBus::connect(self.settings.clone());
        self.connected.get_or_try_init(connect).await
    }

    /// Ends the connection, if there is one.
    pub(super) async fn close(&self) {
        if let Some(bus) = self.connected.get() {
            // All that counts is acknowledged already.
            let _ = timeout(CLOSE, bus.close()).await;
        }
    }
}

#[async_trait]
impl EventBus for LateBus {
    async fn publish(&self, envelope: Envelope) -> Result<(), BusError> {
        self.bus().await?.publish(envelope).await
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Result<Delivery, BusError>>, BusError> {
        self.bus().await?.subscribe(subscription).await
    }
}
