//! A small API server: lists, watches, single reads and token reviews, with faults on demand.

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the server holds, and what it was asked.
#[derive(Default)]
pub(crate) struct State {
    /// Objects by plural, then by namespace and name.
    objects: HashMap<String, BTreeMap<(String, String), Value>>,
    watches: HashMap<String, Vec<mpsc::UnboundedSender<Value>>>,
    version: u64,
    /// What happened, by plural: whoever begins to watch hears what came after its list.
    log: HashMap<String, Vec<(u64, Value)>>,
    /// Answers to reviews, by token and audience.
    pub(crate) tokens: HashMap<(String, String), Value>,
    pub(crate) reviews: usize,
    /// Single reads: plural, namespace, name.
    pub(crate) reads: Vec<(String, String, String)>,
    /// Lists and watches that were asked for, by plural.
    pub(crate) lists: Vec<String>,
    /// So many reviews fail from now on.
    pub(crate) fail_reviews: usize,
    /// Reads of secrets are forbidden.
    pub(crate) forbid: bool,
}

pub(crate) struct FakeApi {
    pub(crate) client: Client,
    state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

type Body = BoxBody<Bytes, Infallible>;

impl FakeApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(answer(&state, request).await) }
                });
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        Self {
            client: Client::try_from(config).unwrap(),
            state,
            _server: server,
        }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    /// Makes or changes an object, and tells whoever watches.
    pub(crate) fn put(&self, plural: &str, mut object: Value) {
        self.with(|state| {
            state.version += 1;
            object["metadata"]["resourceVersion"] = json!(state.version.to_string());
            let key = key_of(&object);
            let all = state.objects.entry(plural.to_owned()).or_default();
            let before = all.insert(key, object.clone());
            let kind = match (before.as_ref().is_some_and(selected), selected(&object)) {
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
                (false, false) => return,
            };
            state.tell(plural, &json!({"type": kind, "object": object}));
        });
    }

    pub(crate) fn delete(&self, plural: &str, namespace: &str, name: &str) {
        self.with(|state| {
            let key = (namespace.to_owned(), name.to_owned());
            let gone = state.objects.get_mut(plural).and_then(|all| all.remove(&key));
            if let Some(mut object) = gone {
                state.version += 1;
                object["metadata"]["resourceVersion"] = json!(state.version.to_string());
                state.tell(plural, &json!({"type": "DELETED", "object": object}));
            }
        });
    }

    /// Changes an object without telling anybody: what happens while a watch is down.
    pub(crate) fn put_silently(&self, plural: &str, object: Value) {
        self.with(|state| {
            let all = state.objects.entry(plural.to_owned()).or_default();
            all.insert(key_of(&object), object);
        });
    }

    /// Ends all watches of a kind, the way that makes clients list anew.
    pub(crate) fn cut(&self, plural: &str) {
        let gone = json!({
            "type": "ERROR",
            "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "too old resource version", "reason": "Expired", "code": 410},
        });
        self.with(|state| {
            for watch in state.watches.remove(plural).unwrap_or_default() {
                let _ = watch.send(gone.clone());
            }
        });
    }
}

impl State {
    fn tell(&mut self, plural: &str, event: &Value) {
        let log = self.log.entry(plural.to_owned()).or_default();
        log.push((self.version, event.clone()));
        if let Some(watches) = self.watches.get_mut(plural) {
            watches.retain(|watch| watch.send(event.clone()).is_ok());
        }
    }
}

fn key_of(object: &Value) -> (String, String) {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// What the field selector on live runs lets through.
fn selected(object: &Value) -> bool {
    !matches!(
        object["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed" | "Cancelled")
    )
}

fn whole(status: StatusCode, body: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(body.to_string())).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

fn failure(status: StatusCode, reason: &str) -> Response<Body> {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": status.as_u16()});
    whole(status, &body)
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if request.method() == Method::POST && path.ends_with("/tokenreviews") {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        return review(state, &serde_json::from_slice(&body).unwrap());
    }
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [.., "namespaces", namespace, plural, name] => read(state, plural, namespace, name),
        [.., plural] if query.contains("watch=true") => watch(state, plural, &query),
        [.., plural] => list(state, plural),
        [] => failure(StatusCode::NOT_FOUND, "NotFound"),
    }
}

fn review(state: &Mutex<State>, asked: &Value) -> Response<Body> {
    let mut state = state.lock().unwrap();
    state.reviews += 1;
    if state.fail_reviews > 0 {
        state.fail_reviews -= 1;
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = (
        text(&asked["spec"]["token"]),
        text(&asked["spec"]["audiences"][0]),
    );
    let refused = json!({"authenticated": false, "error": "token is not valid"});
    let status = state.tokens.get(&key).cloned().unwrap_or(refused);
    let body = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {},
        "spec": asked["spec"], "status": status});
    whole(StatusCode::CREATED, &body)
}

fn read(state: &Mutex<State>, plural: &str, namespace: &str, name: &str) -> Response<Body> {
    let mut state = state.lock().unwrap();
    let asked = (plural.to_owned(), namespace.to_owned(), name.to_owned());
    state.reads.push(asked);
    if plural == "secrets" && state.forbid {
        return failure(StatusCode::FORBIDDEN, "Forbidden");
    }
    let key = (namespace.to_owned(), name.to_owned());
    match state.objects.get(plural).and_then(|all| all.get(&key)) {
        Some(object) => whole(StatusCode::OK, object),
        None => failure(StatusCode::NOT_FOUND, "NotFound"),
    }
}

fn list(state: &Mutex<State>, plural: &str) -> Response<Body> {
    let mut state = state.lock().unwrap();
    state.lists.push(plural.to_owned());
    let all = state.objects.get(plural);
    let items: Vec<_> = all
        .into_iter()
        .flat_map(BTreeMap::values)
        .filter(|one| selected(one))
        .collect();
    let body = json!({"kind": "List", "apiVersion": "v1", "items": items,
        "metadata": {"resourceVersion": state.version.to_string()}});
    whole(StatusCode::OK, &body)
}

fn watch(state: &Mutex<State>, plural: &str, query: &str) -> Response<Body> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let since = query
        .split('&')
        .find_map(|part| part.strip_prefix("resourceVersion="));
    let since: u64 = since.unwrap().parse().unwrap();
    let mut state = state.lock().unwrap();
    let log = state.log.get(plural).into_iter().flatten();
    for (_, event) in log.filter(|(version, _)| *version > since) {
        sender.send(event.clone()).unwrap();
    }
    state.watches.entry(plural.to_owned()).or_default().push(sender);
    let events = futures::stream::unfold(receiver, |mut receiver| async move {
        let event: Value = receiver.recv().await?;
        Some((event, receiver))
    });
    let frames = events.map(|event| Ok::<_, Infallible>(Frame::data(Bytes::from(format!("{event}\n")))));
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}
