//! What the bus has for this run, for as long as it takes to get it.

use super::backoff::pause;
use super::decide::Owner;
use crate::bus::{BusError, Delivery, EventBus, Subscription, run_reader};
use crate::error::chain;
use futures::StreamExt;
use futures::stream::{BoxStream, unfold};
use std::sync::Arc;
use tokio::time::sleep;

/// Tries after which the pause grows no more.
const LAST_TRY: u32 = 10;

struct Source {
    bus: Arc<dyn EventBus>,
    subscription: Subscription,
    open: Option<BoxStream<'static, Result<Delivery, BusError>>>,
    tries: u32,
}

/// Deliveries, without an end: a bus that is away is asked again.
pub(super) fn incoming(bus: Arc<dyn EventBus>, owner: &Owner) -> BoxStream<'static, Delivery> {
    let source = Source {
        bus,
        subscription: run_reader(&owner.instance, owner.run),
        open: None,
        tries: 0,
    };
    unfold(source, |mut source| async move {
        let delivery = source.next().await;
        Some((delivery, source))
    })
    .boxed()
}

impl Source {
    async fn next(&mut self) -> Delivery {
        loop {
            let Some(open) = &mut self.open else {
                match self.bus.subscribe(self.subscription.clone()).await {
                    Ok(open) => self.open = Some(open),
                    Err(error) => self.wait(Some(&error)).await,
                }
                continue;
            };
            match open.next().await {
                Some(Ok(delivery)) => {
                    self.tries = 0;
                    return delivery;
                }
                Some(Err(error)) => self.wait(Some(&error)).await,
                None => {
                    self.open = None;
                    self.wait(None).await;
                }
            }
        }
    }

    async fn wait(&mut self, error: Option<&BusError>) {
        if self.tries == LAST_TRY {
            let why = error.map_or_else(|| "the stream ended".to_owned(), |error| chain(error));
            tracing::warn!(why, "nothing reaches this run for now");
        }
        sleep(pause(self.tries.min(LAST_TRY), 0)).await;
        self.tries = self.tries.saturating_add(1);
        if self.tries > LAST_TRY {
            // Whatever is wrong with it may not be wrong with another one.
            self.open = None;
        }
    }
}
