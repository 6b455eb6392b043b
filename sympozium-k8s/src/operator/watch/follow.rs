//! One watch, for as long as it is wanted: [`follow`].

use futures::{StreamExt, pin_mut};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;
use sympozium_core::error::chain;
use tokio::sync::watch;
use tokio::time::timeout;
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

/// How long a list may take from page to page. A server that takes a list and never answers would otherwise be waited for
/// for ever; a watch may be silent, because its server ends it by itself.
const LIST_LIMIT: Duration = Duration::from_mins(1);

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
    loop {
        let events = watcher(api.clone(), config.clone()).default_backoff();
        pin_mut!(events);
        let mut lists = true;
        loop {
            let limit = if lists { LIST_LIMIT } else { Duration::MAX };
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = timeout(limit, events.next()) => event,
            };
            match event {
                Ok(Some(Ok(event))) => {
                    lists = !matches!(event, Event::InitDone | Event::Apply(_) | Event::Delete(_));
                    let done = matches!(event, Event::InitDone);
                    take(event);
                    if done {
                        filled.send_replace(true);
                    }
                }
                Ok(Some(Err(error))) => broke(&kind, &chain(&error)),
                // Begun anew.
                Ok(None) => break,
                Err(_) => {
                    broke(&kind, "no answer");
                    break;
                }
            }
        }
    }
}

fn broke(kind: &str, error: &str) {
    metrics::counter!("sympozium_operator_watch_errors_total", "kind" => kind.to_owned()).increment(1);
    tracing::debug!(%kind, error, "a watch broke off");
}
