//! What is to be looked at, and when: [`Queue`], and the workers that do it: [`work`].
//!
//! A key is in the queue at most once and with at most one worker, so that no two decide about one object; what is
//! pushed while a worker has it comes again. The queue is bounded by the number of objects.

mod work;

pub use work::{Look, Reconcile, work};

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Keys that are to be looked at.
#[derive(Debug)]
pub struct Queue<K> {
    inner: Mutex<Inner<K>>,
    pushed: Notify,
}

#[derive(Debug)]
struct Inner<K> {
    ready: VecDeque<K>,
    waiting: HashSet<K>,
    busy: HashSet<K>,
    /// Pushed while a worker has them.
    again: HashSet<K>,
    later: BTreeSet<(Instant, K)>,
    due: HashMap<K, Instant>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                ready: VecDeque::new(),
                waiting: HashSet::new(),
                busy: HashSet::new(),
                again: HashSet::new(),
                later: BTreeSet::new(),
                due: HashMap::new(),
            }),
            pushed: Notify::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// To be looked at as soon as somebody can.
    pub fn push(&self, key: K) {
        self.lock().push(key);
        self.pushed.notify_one();
    }

    /// To be looked at not before this moment. An earlier moment that is known already stays.
    pub fn push_at(&self, key: K, at: Instant) {
        self.lock().push_at(key, at);
        self.pushed.notify_one();
    }

    /// How many wait for a worker.
    pub fn len(&self) -> usize {
        self.lock().ready.len()
    }

    /// Whether nothing waits for a worker.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next key. Give it back with [`done`](Self::done). Cancel by dropping.
    pub async fn next(&self) -> K {
        loop {
            let pushed = self.pushed.notified();
            let due = {
                let mut inner = self.lock();
                inner.wake(Instant::now());
                if let Some(key) = inner.pop() {
                    // Others may be asleep while more is ready.
                    if !inner.ready.is_empty() {
                        self.pushed.notify_one();
                    }
                    return key;
                }
                inner.later.first().map(|(at, _)| *at)
            };
            match due {
                Some(due) => tokio::select! {
                    () = pushed => {}
                    () = sleep_until(due) => {}
                },
                None => pushed.await,
            }
        }
    }

    /// A worker is done with a key, and wants it looked at again at that moment, if nothing happens before.
    pub fn done(&self, key: &K, again: Option<Instant>) {
        let mut inner = self.lock();
        inner.busy.remove(key);
        inner.not_later(key);
        if let Some(at) = again {
            inner.push_at(key.clone(), at);
        }
        if inner.again.remove(key) {
            inner.push(key.clone());
        }
        drop(inner);
        self.pushed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash + Ord> Inner<K> {
    fn push(&mut self, key: K) {
        if self.busy.contains(&key) {
            self.again.insert(key);
        } else if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn push_at(&mut self, key: K, at: Instant) {
        if self.due.get(&key).is_some_and(|due| *due <= at) {
            return;
        }
        self.not_later(&key);
        self.due.insert(key.clone(), at);
        self.later.insert((at, key));
    }

    fn not_later(&mut self, key: &K) {
        if let Some(at) = self.due.remove(key) {
            self.later.remove(&(at, key.clone()));
        }
    }

    fn wake(&mut self, now: Instant) {
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, key)) = self.later.pop_first() {
                self.due.remove(&key);
                self.push(key);
            }
        }
    }

    fn pop(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.busy.insert(key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_there_once_and_comes_again_if_it_was_pushed_meanwhile() {
        let queue = Queue::default();
        queue.push("a");
        queue.push("a");
        queue.push("b");
        assert_eq!(
            (queue.next().await, queue.next().await, queue.len()),
            ("a", "b", 0)
        );
        queue.push("a");
        assert!(queue.is_empty());
        queue.done(&"a", None);
        assert_eq!(queue.next().await, "a");
        queue.done(&"a", None);
        queue.done(&"b", None);
        assert!(
            tokio::time::timeout(Duration::from_hours(1), queue.next())
                .await
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_wish_counts_and_a_look_replaces_it() {
        let queue = Queue::default();
        let begin = Instant::now();
        queue.push_at("a", after(60));
        queue.push_at("a", after(5));
        queue.push_at("a", after(30));
        assert_eq!((queue.next().await, begin.elapsed().as_secs()), ("a", 5));
        queue.push_at("a", after(1));
        queue.done(&"a", Some(after(10)));
        assert_eq!((queue.next().await, begin.elapsed().as_secs()), ("a", 15));
    }
}
