//! What the leader remembers of runs besides their objects: [`Memos`]. All of it can be lost: a new leader finds it anew.

use crate::crd::v1alpha1::{AgentRun, SkillGrant};
use crate::operator::run::Found;
use crate::operator::watch::Key;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sympozium_core::bus::Delivery;
use tokio::time::Instant;

/// How long a ConfigMap with a skill's documents is believed to be there.
const MIRROR_LASTS: Duration = Duration::from_mins(5);

/// What is remembered of a run that has not ended.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Its namespace and name.
    pub(super) key: Option<Key>,
    /// When its Job was applied by this leader, or found by it.
    pub(super) made_at: Option<Timestamp>,
    /// Its objects were begun to be applied; some may be there, whatever was answered.
    pub(super) tried: Option<Tried>,
    /// Something is known to be gone: what there is must be asked for.
    pub(super) confirm: bool,
    /// Rights that its skills were given.
    pub(super) grants: Vec<SkillGrant>,
    /// What is said with its admission.
    pub(super) note: Option<String>,
    /// The memory that it began with.
    pub(super) memory: Option<String>,
    /// Since when what it wants to remember can't be saved.
    pub(super) unsaved_since: Option<Timestamp>,
    /// Its result, as the bus told it.
    pub(super) found: Option<Found>,
    /// What told it, to be acknowledged once its end is written.
    pub(super) deliveries: Vec<Delivery>,
    /// Questions that wait for a person; `None` = nothing was heard of any.
    pub(super) questions: Option<HashSet<String>>,
    /// Writes to the API server on its behalf.
    pub(super) writes: u32,
    /// Its end is written: what the cache shows of it is old.
    pub(super) committed: bool,
}

/// Objects of a run that were begun to be applied.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    /// With an identity of its own.
    pub(super) own_account: bool,
}

/// What is left of a run that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// Its UID.
    pub(super) uid: String,
    /// When it ended.
    pub(super) at: Timestamp,
    /// Its own identity, if it has one.
    pub(super) service_account: Option<String>,
    /// Whether a pod may still come.
    pub(super) pod_may_come: bool,
    /// Its Event, until it is published.
    pub(super) event: Option<Box<Event>>,
}

/// What is remembered of runs.
#[derive(Debug, Default)]
pub(super) struct Memos {
    live: Mutex<HashMap<String, Memo>>,
    ended: Mutex<HashMap<Key, Vec<Ending>>>,
    begun: Mutex<HashMap<Key, u64>>,
    counted_at: Mutex<HashMap<Key, Timestamp>>,
    to_prune: Mutex<HashMap<Key, u32>>,
    children: Mutex<HashMap<Key, HashSet<(Timestamp, String)>>>,
    mirrors: Mutex<HashMap<Key, (ConfigMap, Instant)>>,
    kept: Mutex<HashMap<Key, (String, i64)>>,
}

/// The name under which a schedule's ended runs are counted: an instance may have the same.
pub(super) fn of_schedule(schedule: &Key) -> Key {
    Key::new(schedule.namespace.clone(), format!("schedule/{}", schedule.name))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memos {
    /// Looks at or changes what is remembered of a run. Never held over an await.
    pub(super) fn with<T>(&self, uid: &str, change: impl FnOnce(&mut Memo) -> T) -> T {
        change(lock(&self.live).entry(uid.to_owned()).or_default())
    }

    /// Forgets everything. What told results comes again.
    pub(super) fn clear(&self) {
        lock(&self.live).clear();
        lock(&self.ended).clear();
        lock(&self.begun).clear();
        lock(&self.counted_at).clear();
        lock(&self.to_prune).clear();
        lock(&self.children).clear();
        lock(&self.mirrors).clear();
        lock(&self.kept).clear();
    }

    /// Something of a run is gone: what there is of it must be asked for.
    pub(super) fn confirm(&self, uid: &str) {
        if let Some(memo) = lock(&self.live).get_mut(uid) {
            memo.confirm = true;
        }
    }

    /// Looks at what is remembered of a run, if anything is.
    pub(super) fn knows<T>(&self, uid: &str, look: impl FnOnce(&Memo) -> T) -> Option<T> {
        lock(&self.live).get(uid).map(look)
    }

    /// The ended runs whose Event is not published yet.
    pub(super) fn owed(&self) -> Vec<Key> {
        let ended = lock(&self.ended);
        let owes = |endings: &Vec<Ending>| endings.iter().any(|ending| ending.event.is_some());
        ended
            .iter()
            .filter(|(_, endings)| owes(endings))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// A run is gone from the cache: it has ended, or was deleted. What arrives later is about nothing.
    pub(super) fn note_gone(&self, run: &AgentRun) {
        if let Some(uid) = &run.metadata.uid {
            self.with(uid, |memo| {
                memo.confirm = true;
                memo.key = Some(Key::of(run));
            });
        }
    }

    /// The UIDs of the runs of this name of which something is remembered.
    pub(super) fn uids_of(&self, key: &Key) -> Vec<String> {
        let live = lock(&self.live);
        let of_key = live.iter().filter(|(_, memo)| memo.key.as_ref() == Some(key));
        of_key.map(|(uid, _)| uid.clone()).collect()
    }

    /// Forgets a run that is gone, and gives back what told its result.
    pub(super) fn forget(&self, uid: &str) -> Option<Memo> {
        lock(&self.live).remove(uid)
    }

    /// Keeps what is left of a run that has ended.
    pub(super) fn end(&self, key: &Key, ending: Ending) {
        let mut ended = lock(&self.ended);
        let all = ended.entry(key.clone()).or_default();
        match all.iter_mut().find(|there| there.uid == ending.uid) {
            Some(there) => *there = ending,
            None => all.push(ending),
        }
    }

    /// What is left of the ended runs of this name.
    pub(super) fn endings(&self, key: &Key) -> Vec<Ending> {
        lock(&self.ended).get(key).cloned().unwrap_or_default()
    }

    /// The Event of an ended run is published.
    pub(super) fn published(&self, key: &Key, uid: &str) {
        if let Some(all) = lock(&self.ended).get_mut(key) {
            for ending in all.iter_mut().filter(|ending| ending.uid == uid) {
                ending.event = None;
            }
        }
    }

    /// Nothing is left of an ended run.
    pub(super) fn over(&self, key: &Key, uid: &str) {
        let mut ended = lock(&self.ended);
        if let Some(all) = ended.get_mut(key) {
            all.retain(|ending| ending.uid != uid);
            if all.is_empty() {
                ended.remove(key);
            }
        }
    }

    /// A run of an instance has begun.
    pub(super) fn count_begun(&self, instance: &Key) {
        let mut begun = lock(&self.begun);
        let count = begun.entry(instance.clone()).or_default();
        *count = count.saturating_add(1);
    }

    /// Runs of an instance that have begun since their count was written.
    pub(super) fn begun(&self, instance: &Key) -> u64 {
        lock(&self.begun).get(instance).copied().unwrap_or_default()
    }

    /// The count of an instance is written.
    pub(super) fn written(&self, instance: &Key, counted: u64, at: Timestamp) {
        let mut begun = lock(&self.begun);
        if let Some(count) = begun.get_mut(instance) {
            *count = count.saturating_sub(counted);
            if *count == 0 {
                begun.remove(instance);
            }
        }
        lock(&self.counted_at).insert(instance.clone(), at);
    }

    /// When the count of an instance was last written.
    pub(super) fn counted_at(&self, instance: &Key) -> Option<Timestamp> {
        lock(&self.counted_at).get(instance).copied()
    }

    /// An instance is gone.
    pub(super) fn forget_instance(&self, instance: &Key) {
        lock(&self.begun).remove(instance);
        lock(&self.counted_at).remove(instance);
        lock(&self.to_prune).remove(instance);
        lock(&self.kept).remove(instance);
    }

    /// A run of this owner has ended.
    pub(super) fn count_ended(&self, owner: &Key) {
        if let Some(count) = lock(&self.to_prune).get_mut(owner) {
            *count = count.saturating_add(1);
        }
    }

    /// Whether so many runs of this owner have ended that its history is worth a look. The first look always is.
    pub(super) fn take_due(&self, owner: &Key, every: u32) -> bool {
        let mut all = lock(&self.to_prune);
        let due = all.get(owner).is_none_or(|count| *count >= every);
        if due {
            all.insert(owner.clone(), 0);
        }
        due
    }

    /// Whether the objects of an instance were written as this version of it wants them.
    pub(super) fn is_kept(&self, instance: &Key, version: &(String, i64)) -> bool {
        lock(&self.kept).get(instance) == Some(version)
    }

    /// The objects of an instance are written.
    pub(super) fn kept(&self, instance: &Key, version: (String, i64)) {
        lock(&self.kept).insert(instance.clone(), version);
    }

    /// How many runs a parent had spawned before this one, all that have been seen.
    pub(super) fn older_siblings(&self, parent: &Key, created: Timestamp, uid: &str) -> u32 {
        let mut all = lock(&self.children);
        let children = all.entry(parent.clone()).or_default();
        let this = (created, uid.to_owned());
        children.insert(this.clone());
        let older = children.iter().filter(|child| **child < this).count();
        u32::try_from(older).unwrap_or(u32::MAX)
    }

    /// A run has ended, and can spawn none any more.
    pub(super) fn no_more_children(&self, parent: &Key) {
        lock(&self.children).remove(parent);
    }

    /// Whether this ConfigMap was written as it is, and not too long ago: somebody may have deleted it since.
    pub(super) fn mirrors(&self, map: &ConfigMap) -> bool {
        let mirrors = lock(&self.mirrors);
        let there = mirrors.get(&Key::of(map));
        there.is_some_and(|(written, at)| written == map && at.elapsed() < MIRROR_LASTS)
    }

    /// This ConfigMap is written.
    pub(super) fn mirrored(&self, map: &ConfigMap) {
        let mut mirrors = lock(&self.mirrors);
        mirrors.retain(|_, (_, at)| at.elapsed() < MIRROR_LASTS);
        mirrors.insert(Key::of(map), (map.clone(), Instant::now()));
    }
}
