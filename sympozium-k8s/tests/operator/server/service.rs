//! The server as a service that a client talks to.

use super::faults::{Fault, Faults};
use super::path::{Target, query, target};
use super::select::selected;
use super::store::{Event, EventKind, Store};
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

/// The body of an answer.
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The server.
#[derive(Clone)]
pub(crate) struct ApiServer {
    store: Arc<Mutex<Store>>,
    pub(crate) faults: Arc<Faults>,
    /// Requests by method and resource, watches left out.
    counts: Arc<Mutex<BTreeMap<(String, String), usize>>>,
}

impl ApiServer {
    pub(crate) fn new(store: Store, faults: Faults) -> Self {
        Self {
            store: Arc::new(Mutex::new(store)),
            faults: Arc::new(faults),
            counts: Arc::default(),
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    pub(crate) fn counts(&self) -> BTreeMap<(String, String), usize> {
        self.counts.lock().unwrap().clone()
    }

    pub(crate) fn reset_counts(&self) {
        self.counts.lock().unwrap().clear();
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        let text = head.uri.query().unwrap_or_default().to_owned();
        let target = target(head.uri.path()).unwrap();
        if query(&text, "watch").as_deref() == Some("true") {
            return self.watch(&target, &text);
        }
        let body = body.collect_bytes().await.unwrap();
        let count = (head.method.to_string(), target.resource.clone());
        *self.counts.lock().unwrap().entry(count).or_default() += 1;
        // Every request takes a moment, so that others come in between.
        tokio::time::sleep(self.faults.latency()).await;
        match self.faults.of_request() {
            None => self.serve(&head.method, &target, &text, &body, &head.headers),
            Some(Fault::Refused(code)) => refusal(code),
            Some(Fault::Lost(code)) => {
                self.serve(&head.method, &target, &text, &body, &head.headers);
                refusal(code)
            }
            Some(Fault::Silence { done }) => {
                if done {
                    self.serve(&head.method, &target, &text, &body, &head.headers);
                }
                std::future::pending().await
            }
        }
    }

    fn serve(
        &self,
        method: &Method,
        target: &Target,
        text: &str,
        body: &[u8],
        headers: &http::HeaderMap,
    ) -> Answer {
        let mut store = self.store();
        let answer = match (method.as_str(), &target.name) {
            ("GET", None) => return list(&store, target, text),
            ("GET", Some(_)) if target.sub.as_deref() == Some("log") => return plain(""),
            ("GET", Some(name)) => store
                .get(&target.resource, &target.namespace, name)
                .cloned()
                .ok_or(404),
            ("POST", None) => store.create(&target.resource, &target.namespace, parse(body)),
            ("PUT", Some(name)) => store.update(&target.resource, &target.namespace, name, parse(body)),
            ("PATCH", Some(name)) => patch(&mut store, target, name, &parse(body), headers),
            ("DELETE", Some(name)) => delete(&mut store, target, name, body),
            _ => Err(405),
        };
        match answer {
            Ok(object) => json_answer(200, &object),
            Err(409) if method == Method::POST => refused(409, "AlreadyExists"),
            Err(code) => refusal(code),
        }
    }

    /// Everything that happened since a version, then what happens, each after a while, until it breaks off.
    fn watch(&self, target: &Target, text: &str) -> Answer {
        let from: u64 = query(text, "resourceVersion")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let server = self.clone();
        let (target, labels) = (target.clone(), query(text, "labelSelector").unwrap_or_default());
        let fields = query(text, "fieldSelector").unwrap_or_default();
        let changes = self.store().changes();
        let lines = futures::stream::unfold((from, changes, true), move |(seen, mut changes, open)| {
            let (server, target) = (server.clone(), target.clone());
            let (labels, fields) = (labels.clone(), fields.clone());
            async move {
                if !open {
                    return None;
                }
                loop {
                    let next = server.next_event(&target, seen, &labels, &fields);
                    let Some((version, line)) = next else {
                        if changes.changed().await.is_err() {
                            return None;
                        }
                        continue;
                    };
                    if server.faults.drops_watch() {
                        return None;
                    }
                    let pause = server.faults.holds_back();
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                    return Some((line, (version, changes, true)));
                }
            }
        });
        let frames = lines.map(|line: String| Ok::<_, Infallible>(Frame::data(Bytes::from(line))));
        Response::builder()
            .status(200)
            .body(StreamBody::new(frames).boxed_unsync())
            .unwrap()
    }

    fn next_event(&self, target: &Target, seen: u64, labels: &str, fields: &str) -> Option<(u64, String)> {
        let store = self.store();
        let begin = store.log.partition_point(|event| event.version <= seen);
        store.log[begin..]
            .iter()
            .filter(|event| event.resource == target.resource)
            .filter(|event| {
                target.namespace.is_empty()
                    || event.object["metadata"]["namespace"] == target.namespace.as_str()
            })
            .find_map(|event| Some((event.version, line(event, labels, fields)?)))
    }
}

fn list(store: &Store, target: &Target, text: &str) -> Answer {
    let labels = query(text, "labelSelector").unwrap_or_default();
    let fields = query(text, "fieldSelector").unwrap_or_default();
    let items: Vec<&Value> = store
        .list(&target.resource, &target.namespace)
        .filter(|object| selected(object, &labels, &fields))
        .collect();
    let list = json!({
        "apiVersion": "v1",
        "kind": "List",
        "metadata": { "resourceVersion": store.version().to_string() },
        "items": items,
    });
    json_answer(200, &list)
}

/// How a watch with these selectors tells of an event: what leaves the selection is deleted, as it was before.
fn line(event: &Event, labels: &str, fields: &str) -> Option<String> {
    let was = event
        .before
        .as_ref()
        .is_some_and(|before| selected(before, labels, fields));
    let is = event.kind != EventKind::Deleted && selected(&event.object, labels, fields);
    let (kind, object) = match (was, is) {
        (false, false) => return None,
        (false, true) => ("ADDED", event.object.clone()),
        (true, true) => ("MODIFIED", event.object.clone()),
        (true, false) => {
            let mut last = event.before.clone().unwrap();
            last["metadata"]["resourceVersion"] = json!(event.version.to_string());
            ("DELETED", last)
        }
    };
    Some(format!("{}\n", json!({ "type": kind, "object": object })))
}

fn patch(
    store: &mut Store,
    target: &Target,
    name: &str,
    patch: &Value,
    headers: &http::HeaderMap,
) -> Result<Value, u16> {
    let kind = headers.get("content-type").unwrap().to_str().unwrap();
    let apply = kind.contains("apply-patch");
    let there = store.get(&target.resource, &target.namespace, name).cloned();
    let Some(mut object) = there else {
        return if apply && target.sub.is_none() {
            store.create(&target.resource, &target.namespace, patch.clone())
        } else {
            Err(404)
        };
    };
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("resourceVersion");
    if target.sub.as_deref() == Some("status") {
        object["status"] = patch["status"].clone();
        if let Some(version) = patch["metadata"]["resourceVersion"].as_str() {
            object["metadata"]["resourceVersion"] = json!(version);
        }
    } else if apply {
        let status = object["status"].clone();
        merge(&mut object, patch);
        object["spec"] = patch["spec"].clone();
        object["status"] = status;
    } else {
        merge(&mut object, patch);
    }
    prune_nulls(&mut object);
    store.update(&target.resource, &target.namespace, name, object)
}

fn prune_nulls(object: &mut Value) {
    if let Some(map) = object.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into.as_object_mut(), from.as_object()) {
        (Some(into), Some(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *into = from.clone(),
    }
}

/// Pods get a deletion time and are taken away by their kubelet; all else goes at once.
fn delete(store: &mut Store, target: &Target, name: &str, body: &[u8]) -> Result<Value, u16> {
    let there = store
        .get(&target.resource, &target.namespace, name)
        .cloned()
        .ok_or(404_u16)?;
    let options: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(uid) = options["preconditions"]["uid"].as_str()
        && there["metadata"]["uid"] != uid
    {
        return Err(409);
    }
    if target.resource == "pods" {
        let mut pod = there;
        pod["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        let created = pod["metadata"]["creationTimestamp"].clone();
        // `update` keeps what the server writes: so it is put in before the first deletion only.
        if pod["metadata"]["deletionTimestamp"].is_null() {
            pod["metadata"]["deletionTimestamp"] = created;
        }
        return store.update(&target.resource, &target.namespace, name, pod);
    }
    store.delete(&target.resource, &target.namespace, name)
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn json_answer(code: u16, value: &Value) -> Answer {
    let body = Full::new(Bytes::from(value.to_string())).boxed_unsync();
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

fn plain(text: &'static str) -> Answer {
    Response::new(Full::new(Bytes::from(text)).boxed_unsync())
}

fn refusal(code: u16) -> Answer {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    refused(code, reason)
}

fn refused(code: u16, reason: &str) -> Answer {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "no",
    });
    json_answer(code, &status)
}
