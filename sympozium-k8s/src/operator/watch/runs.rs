//! The runs that have not ended: [`LiveRuns`].

use super::{Change, Key, Store};
use crate::crd::v1alpha1::AgentRun;
use kube::runtime::watcher::Event;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The field selector of runs that have not ended. Ended ones leave by a deletion event.
pub const LIVE: &str = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Cancelled";

/// The runs that have not ended, also by UID.
#[derive(Debug, Default)]
pub struct LiveRuns {
    store: Store<AgentRun>,
    keys: Mutex<HashMap<String, Key>>,
}

impl LiveRuns {
    /// The run of this key.
    pub fn get(&self, key: &Key) -> Option<Arc<AgentRun>> {
        self.store.get(key)
    }

    /// The key of the run with this UID.
    pub fn key_of(&self, uid: &str) -> Option<Key> {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(uid)
            .cloned()
    }

    /// All runs, in no order.
    pub fn all(&self) -> Vec<Arc<AgentRun>> {
        self.store.all()
    }

    /// All runs that are wanted, in no order.
    pub fn filter(&self, wanted: impl Fn(&AgentRun) -> bool) -> Vec<Arc<AgentRun>> {
        self.store.filter(wanted)
    }

    /// Takes what the API server answered to a write.
    pub fn observe(&self, run: AgentRun) -> Arc<AgentRun> {
        self.index(&run);
        self.store.observe(run)
    }

    /// Takes a run out that has ended.
    pub fn forget(&self, run: &AgentRun) {
        self.unindex(run);
        self.store.forget(&Key::of(run));
    }

    /// Takes an event of the watch, and says what changed by it.
    pub fn take(&self, event: Event<AgentRun>) -> Vec<Change<AgentRun>> {
        let changes = self.store.take(event);
        for change in &changes {
            match change {
                Change::Put(run) => self.index(run),
                Change::Gone(run) => self.unindex(run),
            }
        }
        changes
    }

    fn index(&self, run: &AgentRun) {
        if let Some(uid) = &run.metadata.uid {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            keys.insert(uid.clone(), Key::of(run));
        }
    }

    fn unindex(&self, run: &AgentRun) {
        if let Some(uid) = &run.metadata.uid {
            self.keys
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(uid);
        }
    }
}
