//! One watch, for as long as it is wanted: [`follow`].

use futures::{StreamExt, pin_mut};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Whether a watch has shown all that there is, once.
#[derive(Debug, Clone)]
pub struct Followed {
    receiver: watch::Receiver<bool>,
}

impl Followed {
    /// A watch that has shown nothing yet, and how it is told that it has.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self { receiver })
    }

    /// Whether it has.
    pub fn is_filled(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Waits until it has. Returns at once if the watch has ended.
    pub async fn filled(&mut self) {
        drop(self.receiver.wait_for(|filled| *filled).await);
    }
}

/// Follows a kind until told to stop. Failures are counted and tried again with growing pauses: a cluster that is out of
/// reach for an hour is followed again after it.
pub async fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    filled: watch::Sender<bool>,
    stop: CancellationToken,
    mut take: impl FnMut(Event<K>) + Send,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            None => return,
            Some(Ok(event)) => {
                let done = matches!(event, Event::InitDone);
                take(event);
                if done {
                    filled.send_replace(true);
                }
            }
            Some(Err(error)) => {
                metrics::counter!("sympozium_operator_watch_errors_total", "kind" => kind.clone())
                    .increment(1);
                tracing::debug!(%kind, error = sympozium_core::error::chain(&error), "a watch broke off");
            }
        }
    }
}
