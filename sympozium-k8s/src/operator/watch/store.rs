//! The objects of one kind, as a watch tells them: [`Store`].

use super::Key;
use kube::Resource;
use kube::runtime::watcher::Event;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a watch changed.
#[derive(Debug, Clone)]
pub enum Change<K> {
    /// It is there, or is there in another way.
    Put(Arc<K>),
    /// It is gone, or is not selected any more; this is how it was last.
    Gone(Arc<K>),
}

/// The objects of one kind.
#[derive(Debug)]
pub struct Store<K> {
    inner: Mutex<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    objects: HashMap<Key, Arc<K>>,
    /// What a list that is under way has shown so far.
    listed: Option<HashSet<Key>>,
    /// UIDs of what went last: the answer to a write may come after the news that its object is gone.
    gone: VecDeque<String>,
}

/// How many UIDs of what is gone are kept.
const MOST_GONE: usize = 1024;

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                objects: HashMap::new(),
                listed: None,
                gone: VecDeque::new(),
            }),
        }
    }
}

impl<K: Resource> Store<K> {
    /// The object of this key.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.lock().objects.get(key).cloned()
    }

    /// All objects, in no order.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.lock().objects.values().cloned().collect()
    }

    /// All objects that are wanted, in no order.
    pub fn filter(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let inner = self.lock();
        inner
            .objects
            .values()
            .filter(|object| wanted(object))
            .cloned()
            .collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lock().objects.is_empty()
    }

    /// Takes what the API server answered to a write, so that the next look needs no read. What the watch has shown since
    /// is newer and stays.
    pub fn observe(&self, object: K) -> Arc<K> {
        let object = Arc::new(object);
        let mut inner = self.lock();
        inner.put(&object);
        object
    }

    /// Takes something out that a write took out of the selection.
    pub fn forget(&self, key: &Key) {
        self.lock().objects.remove(key);
    }

    /// Takes an event of the watch, and says what changed by it.
    pub fn take(&self, event: Event<K>) -> Vec<Change<K>> {
        let mut inner = self.lock();
        match event {
            Event::Init => {
                inner.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let key = Key::of(&object);
                if let Some(listed) = &mut inner.listed {
                    listed.insert(key);
                }
                inner.put(&Arc::new(object)).into_iter().collect()
            }
            Event::InitDone => inner.drop_unlisted(),
            Event::Apply(object) => inner.put(&Arc::new(object)).into_iter().collect(),
            Event::Delete(object) => {
                inner.objects.remove(&Key::of(&object));
                inner.bury(&object);
                vec![Change::Gone(Arc::new(object))]
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        // A panic elsewhere can't leave a map half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Resource> Inner<K> {
    fn bury(&mut self, object: &K) {
        if let Some(uid) = &object.meta().uid {
            self.gone.push_front(uid.clone());
            self.gone.truncate(MOST_GONE);
        }
    }

    fn put(&mut self, object: &Arc<K>) -> Option<Change<K>> {
        let uid = object.meta().uid.as_ref();
        if uid.is_some_and(|uid| self.gone.contains(uid)) {
            return None;
        }
        let key = Key::of(object.as_ref());
        if self
            .objects
            .get(&key)
            .is_some_and(|there| is_known(there.as_ref(), object.as_ref()))
        {
            return None;
        }
        self.objects.insert(key, Arc::clone(object));
        Some(Change::Put(Arc::clone(object)))
    }

    fn drop_unlisted(&mut self) -> Vec<Change<K>> {
        let Some(listed) = self.listed.take() else {
            return Vec::new();
        };
        let gone: Vec<Key> = self
            .objects
            .keys()
            .filter(|key| !listed.contains(*key))
            .cloned()
            .collect();
        let gone: Vec<Arc<K>> = gone.iter().filter_map(|key| self.objects.remove(key)).collect();
        for object in &gone {
            self.bury(object);
        }
        gone.into_iter().map(Change::Gone).collect()
    }
}

/// Whether `there` is the same or a later state of the same object than `new`: then nothing is new. Resource versions are
/// numbers that grow (Kubernetes API concepts, "Resource versions"); where one is not, the newcomer counts as new.
fn is_known<K: Resource>(there: &K, new: &K) -> bool {
    let version = |object: &K| object.meta().resource_version.as_deref()?.parse::<u64>().ok();
    there.meta().uid == new.meta().uid
        && matches!((version(there), version(new)), (Some(there), Some(new)) if there >= new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    /// Each name has a UID of its own.
    fn map(name: &str, version: u64) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.namespace = Some("team".into());
        map.metadata.name = Some(name.into());
        map.metadata.uid = Some(format!("uid-of-{name}"));
        map.metadata.resource_version = Some(version.to_string());
        map
    }

    fn version(store: &Store<ConfigMap>, name: &str) -> Option<String> {
        store
            .get(&Key::new("team", name))?
            .metadata
            .resource_version
            .clone()
    }

    #[test]
    fn what_a_write_answered_is_not_undone_by_older_events() {
        let store = Store::default();
        assert_eq!(store.take(Event::Apply(map("a", 5))).len(), 1);
        store.observe(map("a", 9));
        assert!(store.take(Event::Apply(map("a", 7))).is_empty());
        assert_eq!(version(&store, "a").as_deref(), Some("9"));
        // What is known already is no change.
        assert!(store.take(Event::Apply(map("a", 9))).is_empty());
        // Another object of that name is another object.
        let mut other = map("a", 3);
        other.metadata.uid = Some("v".into());
        assert_eq!(store.take(Event::Apply(other)).len(), 1);
    }

    #[test]
    fn what_is_gone_is_not_brought_back_by_the_late_answer_to_a_write() {
        let store = Store::default();
        store.take(Event::Apply(map("a", 5)));
        store.take(Event::Delete(map("a", 7)));
        store.observe(map("a", 6));
        assert_eq!(version(&store, "a"), None);
        let mut other = map("a", 8);
        other.metadata.uid = Some("v".into());
        store.take(Event::Apply(other));
        assert_eq!(version(&store, "a").as_deref(), Some("8"));
    }

    #[test]
    fn what_a_new_list_does_not_show_is_gone() {
        let store = Store::default();
        store.take(Event::Apply(map("a", 1)));
        store.take(Event::Apply(map("b", 2)));
        store.take(Event::Init);
        store.take(Event::InitApply(map("b", 2)));
        store.take(Event::InitApply(map("c", 3)));
        let gone = store.take(Event::InitDone);
        assert!(matches!(gone.as_slice(), [Change::Gone(map)] if map.metadata.name.as_deref() == Some("a")));
        assert_eq!((store.len(), version(&store, "a")), (2, None));
    }
}
