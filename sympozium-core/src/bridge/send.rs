//! Publishing until it is acknowledged or refused.

use super::backoff::pause;
use crate::bus::{BusError, Envelope, EventBus};
use crate::error::{Classify, chain};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::sleep;

/// The bus, and whether it answers: an outage is told once.
#[derive(Clone)]
pub(super) struct Sender {
    bus: Arc<dyn EventBus>,
    out: Arc<AtomicBool>,
}

impl Sender {
    pub(super) fn new(bus: Arc<dyn EventBus>) -> Self {
        Self {
            bus,
            out: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Publishes, for ever if need be. An error is the bus's last word.
    pub(super) async fn publish(self, envelope: Envelope) -> Result<(), BusError> {
        let spread = envelope.id.bytes().fold(0, u8::wrapping_add);
        for tries in 0.. {
            let published = self.bus.publish(envelope.clone()).await;
            match published {
                Err(error) if error.retry().is_worthwhile() => self.is_out(&error),
                Err(error) => return Err(error),
                Ok(()) => {
                    self.is_back();
                    return Ok(());
                }
            }
            sleep(pause(tries, spread)).await;
        }
        Ok(())
    }

    fn is_out(&self, error: &BusError) {
        if !self.out.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error = chain(error),
                "the bus takes nothing for now; what there is waits"
            );
        }
    }

    fn is_back(&self) {
        if self.out.swap(false, Ordering::Relaxed) {
            tracing::warn!("the bus takes events again");
        }
    }
}
