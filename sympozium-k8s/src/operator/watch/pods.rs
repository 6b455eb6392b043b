//! The pods of runs, a few hundred bytes each: [`Pods`].

use super::Key;
use crate::operator::run::PodSeen;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The pods of runs, by the UID of the run that they were made for.
#[derive(Debug, Default)]
pub struct Pods {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<Key, Entry>,
    by_run: HashMap<String, Key>,
    listed: Option<HashSet<Key>>,
}

#[derive(Debug, Clone)]
struct Entry {
    seen: PodSeen,
    run: Key,
}

/// The run whose pod changed, and whether the pod is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodChange {
    /// The run.
    pub run: Key,
    /// The run's UID.
    pub run_uid: String,
    /// Whether the pod is gone.
    pub gone: bool,
}

impl Pods {
    /// The pod of a run.
    pub fn of_run(&self, run_uid: &str) -> Option<PodSeen> {
        let inner = self.lock();
        let key = inner.by_run.get(run_uid)?;
        inner.by_key.get(key).map(|entry| entry.seen.clone())
    }

    /// All pods, with the runs that they belong to.
    pub fn all(&self) -> Vec<(Key, PodSeen)> {
        let inner = self.lock();
        inner
            .by_key
            .values()
            .map(|entry| (entry.run.clone(), entry.seen.clone()))
            .collect()
    }

    /// Takes an event of the watch, and says which runs it is about. What changes nothing that matters is about none.
    pub fn take(&self, event: Event<Pod>, labels: PodLabels<'_>) -> Vec<PodChange> {
        let mut inner = self.lock();
        match event {
            Event::Init => {
                inner.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(pod) => {
                if let Some(listed) = &mut inner.listed {
                    listed.insert(Key::of(&pod));
                }
                inner.put(&pod, labels).into_iter().collect()
            }
            Event::Apply(pod) => inner.put(&pod, labels).into_iter().collect(),
            Event::Delete(pod) => inner.remove(&Key::of(&pod)).into_iter().collect(),
            Event::InitDone => {
                let listed = inner.listed.take().unwrap_or_default();
                let gone: Vec<Key> = inner
                    .by_key
                    .keys()
                    .filter(|key| !listed.contains(*key))
                    .cloned()
                    .collect();
                gone.iter().filter_map(|key| inner.remove(key)).collect()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The labels by which a pod names its run.
#[derive(Debug, Clone, Copy)]
pub struct PodLabels<'a> {
    /// The run's name.
    pub run: &'a str,
    /// The run's UID.
    pub run_uid: &'a str,
}

impl Inner {
    fn put(&mut self, pod: &Pod, labels: PodLabels<'_>) -> Option<PodChange> {
        let key = Key::of(pod);
        let seen = PodSeen::of(pod, labels.run_uid);
        let name = pod.metadata.labels.as_ref().and_then(|all| all.get(labels.run))?;
        let run = Key::new(key.namespace.clone(), name.clone());
        if self.by_key.get(&key).is_some_and(|there| there.seen == seen) {
            return None;
        }
        let run_uid = seen.run_uid.clone();
        self.by_run.insert(run_uid.clone(), key.clone());
        self.by_key.insert(
            key,
            Entry {
                seen,
                run: run.clone(),
            },
        );
        Some(PodChange {
            run,
            run_uid,
            gone: false,
        })
    }

    fn remove(&mut self, key: &Key) -> Option<PodChange> {
        let Entry { seen, run } = self.by_key.remove(key)?;
        if self.by_run.get(&seen.run_uid) == Some(key) {
            self.by_run.remove(&seen.run_uid);
        }
        Some(PodChange {
            run,
            run_uid: seen.run_uid,
            gone: true,
        })
    }
}
