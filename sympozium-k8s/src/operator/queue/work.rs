//! Workers: [`work`].

use super::Queue;
use crate::operator::clock::Clock;
use crate::operator::error::Error;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use sympozium_core::error::{Classify, Retry, chain};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_mins(2);
/// The pause after a lost race: long enough for the watch to show what won.
const RACE_PAUSE: Duration = Duration::from_millis(50);

/// When to look at an object again, if nothing happens before.
pub type Look = Option<Timestamp>;

/// Looks at one object and does what comes next for it.
#[async_trait]
pub trait Reconcile: Send + Sync + 'static {
    /// What names an object.
    type Key: Clone + Debug + Eq + Hash + Ord + Send + Sync;

    /// The name of the controller in metrics.
    const NAME: &'static str;

    /// Does what comes next, and says when to look again.
    async fn reconcile(&self, key: &Self::Key) -> Result<Look, Error>;
}

/// Takes keys from the queue with `workers` tasks until told to stop. Every task has ended when this returns; what a
/// worker has begun is finished first.
pub async fn work<R: Reconcile>(
    reconciler: Arc<R>,
    queue: Arc<Queue<R::Key>>,
    clock: Arc<dyn Clock>,
    workers: usize,
    stop: CancellationToken,
) {
    let failures = Arc::new(Failures::default());
    let mut tasks = JoinSet::new();
    for _ in 0..workers.max(1) {
        let (reconciler, queue, clock) = (Arc::clone(&reconciler), Arc::clone(&queue), Arc::clone(&clock));
        let (failures, stop) = (Arc::clone(&failures), stop.clone());
        tasks.spawn(async move {
            loop {
                let key = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    key = queue.next() => key,
                };
                metrics::gauge!("sympozium_operator_queue_length", "controller" => R::NAME)
                    .set(count(queue.len()));
                let again = one(reconciler.as_ref(), &key, clock.as_ref(), &failures).await;
                queue.done(&key, again);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(controller = R::NAME, %error, "a worker broke off");
        }
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

async fn one<R: Reconcile>(
    reconciler: &R,
    key: &R::Key,
    clock: &dyn Clock,
    failures: &Failures<R::Key>,
) -> Option<Instant> {
    let begin = Instant::now();
    // What an embedder plugged in may hang. Each step can be repeated, so that a look may be given up anywhere.
    let result = timeout(LOOK_LIMIT, reconciler.reconcile(key))
        .await
        .unwrap_or_else(|_| {
            Err(Error::Timeout {
                verb: "look at",
                resource: R::NAME,
                name: format!("{key:?}"),
                limit: LOOK_LIMIT,
            })
        });
    metrics::histogram!("sympozium_operator_reconcile_duration_seconds", "controller" => R::NAME)
        .record(begin.elapsed());
    match result {
        Ok(look) => {
            failures.reset(key);
            look.map(|at| Instant::now() + until(at, clock.now()))
        }
        Err(error) => {
            metrics::counter!("sympozium_operator_reconcile_errors_total", "controller" => R::NAME, "kind" => error.kind())
                .increment(1);
            let pause = failures.pause(key, error.retry());
            tracing::info!(
                controller = R::NAME,
                ?key,
                error = chain(&error),
                ?pause,
                "a look failed"
            );
            pause.map(|pause| Instant::now() + pause)
        }
    }
}

/// How long until then; at least a moment, so that a wish for the past makes no busy loop.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now))
        .unwrap_or_default()
        .max(Duration::from_millis(1))
}

/// How often each key has failed in a row.
#[derive(Debug)]
struct Failures<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Clone + Eq + Hash> Failures<K> {
    fn reset(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn pause(&self, key: &K, retry: Retry) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.entry(key.clone()).or_default();
        let times = *before;
        *before = before.saturating_add(1);
        match retry {
            Retry::Never => {
                all.remove(key);
                None
            }
            // A race that is lost over and over is a failure like others.
            Retry::Now if times < 3 => Some(RACE_PAUSE),
            Retry::After(pause) => Some(pause.min(LONGEST_PAUSE)),
            Retry::Now | Retry::Backoff => {
                let pause = FIRST_PAUSE
                    .saturating_mul(2_u32.saturating_pow(times))
                    .min(LONGEST_PAUSE);
                Some(pause.mul_f64(0.75 + fastrand::f64() * 0.5))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_a_hopeless_look_is_not_repeated() {
        let failures = Failures::default();
        let mut last = Duration::ZERO;
        for _ in 0..40 {
            last = failures.pause(&"a", Retry::Backoff).unwrap();
        }
        assert!(last >= LONGEST_PAUSE.mul_f64(0.75) && last <= LONGEST_PAUSE.mul_f64(1.25));
        failures.reset(&"a");
        assert!(failures.pause(&"a", Retry::Backoff).unwrap() <= FIRST_PAUSE.mul_f64(1.25));
        assert_eq!(failures.pause(&"a", Retry::Never), None);
        assert_eq!(failures.pause(&"b", Retry::Now), Some(RACE_PAUSE));
    }
}
