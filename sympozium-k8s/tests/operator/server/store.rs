//! Objects, their versions, and what happened to them.

use super::TestClock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::watch;
use uuid::Uuid;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Added,
    Modified,
    Deleted,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) resource: String,
    pub(crate) kind: EventKind,
    pub(crate) object: Value,
    /// The object before.
    pub(crate) before: Option<Value>,
}

/// Why a write is refused: an HTTP status.
pub(crate) type Refused = u16;

/// Resource, namespace and name.
pub(crate) type Id = (String, String, String);

/// All objects.
pub(crate) struct Store {
    clock: TestClock,
    version: u64,
    objects: BTreeMap<Id, Value>,
    pub(crate) log: Vec<Event>,
    changed: watch::Sender<u64>,
    made: u128,
}

impl Store {
    pub(crate) fn new(clock: TestClock) -> Self {
        Self {
            clock,
            version: 1,
            objects: BTreeMap::new(),
            log: Vec::new(),
            changed: watch::channel(1).0,
            made: 0,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects
            .get(&(resource.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    /// All objects of a resource, of one namespace unless it is empty.
    pub(crate) fn list<'a>(
        &'a self,
        resource: &'a str,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        self.objects
            .iter()
            .filter(move |((of, ns, _), _)| of == resource && (namespace.is_empty() || ns == namespace))
            .map(|(_, object)| object)
    }

    pub(crate) fn create(
        &mut self,
        resource: &str,
        namespace: &str,
        mut object: Value,
    ) -> Result<Value, Refused> {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let id = (resource.to_owned(), namespace.to_owned(), name);
        if self.objects.contains_key(&id) {
            return Err(409);
        }
        self.made += 1;
        let metadata = object["metadata"].as_object_mut().unwrap();
        if !namespace.is_empty() {
            metadata.insert("namespace".into(), json!(namespace));
        }
        metadata.insert(
            "uid".into(),
            json!(Uuid::from_u128(self.made << 64 | 7).to_string()),
        );
        let second = jiff::Timestamp::from_second(self.clock.time().as_second()).unwrap();
        metadata.insert("creationTimestamp".into(), json!(second.to_string()));
        metadata.insert("generation".into(), json!(1));
        Ok(self.put(id, object, EventKind::Added, None))
    }

    /// Writes an object over the one that is there. A version that it names must be the current one.
    pub(crate) fn update(
        &mut self,
        resource: &str,
        namespace: &str,
        name: &str,
        mut object: Value,
    ) -> Result<Value, Refused> {
        let id = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let before = self.objects.get(&id).ok_or(404_u16)?.clone();
        let named = object["metadata"]["resourceVersion"].as_str();
        if named.is_some_and(|version| before["metadata"]["resourceVersion"].as_str() != Some(version)) {
            return Err(409);
        }
        for field in [
            "uid",
            "creationTimestamp",
            "generation",
            "namespace",
            "name",
            "deletionTimestamp",
        ] {
            if !before["metadata"][field].is_null() {
                object["metadata"][field] = before["metadata"][field].clone();
            }
        }
        if object["spec"] != before["spec"] {
            object["metadata"]["generation"] =
                json!(before["metadata"]["generation"].as_i64().unwrap_or(1) + 1);
        }
        object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
        if object == before {
            return Ok(before);
        }
        Ok(self.put(id, object, EventKind::Modified, Some(before)))
    }

    pub(crate) fn delete(&mut self, resource: &str, namespace: &str, name: &str) -> Result<Value, Refused> {
        let id = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let before = self.objects.remove(&id).ok_or(404_u16)?;
        self.version += 1;
        let mut object = before.clone();
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.happened(resource, EventKind::Deleted, object.clone(), Some(before));
        Ok(object)
    }

    fn put(&mut self, id: Id, mut object: Value, kind: EventKind, before: Option<Value>) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let resource = id.0.clone();
        self.objects.insert(id, object.clone());
        self.happened(&resource, kind, object.clone(), before);
        object
    }

    fn happened(&mut self, resource: &str, kind: EventKind, object: Value, before: Option<Value>) {
        self.log.push(Event {
            version: self.version,
            resource: resource.to_owned(),
            kind,
            object,
            before,
        });
        self.changed.send_replace(self.version);
    }
}
