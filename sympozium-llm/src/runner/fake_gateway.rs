//! A small gateway for tests: plays answers over a Unix socket, records steps, and breaks on demand.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use sympozium_core::chat::{ChatEvent, FinishReason, Message, Usage};
use sympozium_core::gateway::{
    FetchRequest, FetchResponse, GatewayEvent, HistorySize, Problem, ProblemKind, RunInput, STEP_HEADER,
    TurnRequest,
};
use sympozium_core::ids::RunUid;
use sympozium_core::ids::{CallId, InstanceRef, ToolName};
use sympozium_core::policy::{Policy, RunToolPolicy, ToolGate};
use sympozium_core::run::RunRef;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

/// What the fake does with one model call.
#[derive(Debug, Clone)]
pub(crate) enum Play {
    Says(String),
    Calls(Vec<(String, Value)>),
    /// Records the answer, sends half of it, and drops the connection.
    DropsThenSays(String),
    /// Fails in the middle of the stream.
    Problem(Problem),
    /// Never ends.
    Hangs,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) turns: Vec<(String, TurnRequest)>,
    pub(crate) bytes: Vec<usize>,
    /// Calls that reached the model.
    pub(crate) model_calls: usize,
    pub(crate) run_requests: usize,
    pub(crate) connections: usize,
    pub(crate) messages: Vec<Message>,
}

pub(crate) struct State {
    pub(crate) input: RunInput,
    pub(crate) not_ready: usize,
    pub(crate) refuse_run: Option<Problem>,
    pub(crate) plays: VecDeque<Play>,
    /// Closes each connection after its first answer.
    pub(crate) closes: bool,
    recorded: BTreeMap<String, Vec<GatewayEvent>>,
    pub(crate) seen: Seen,
}

pub(crate) struct FakeGateway {
    pub(crate) socket: PathBuf,
    pub(crate) state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

pub(crate) fn run_input() -> RunInput {
    RunInput {
        run: RunRef {
            namespace: "local".parse().unwrap(),
            name: "r".parse().unwrap(),
            uid: RunUid(uuid::Uuid::from_u128(7)),
        },
        instance: InstanceRef {
            namespace: "local".parse().unwrap(),
            name: "i".parse().unwrap(),
        },
        task: "the task".to_owned(),
        system_prompt: None,
        history: HistorySize::default(),
        gate: ToolGate {
            layers: vec![Policy::local_default().gate_layer()],
            run: RunToolPolicy::default(),
            typed_tools: vec![],
        },
        provider: "fake".parse().unwrap(),
        model: "m".parse().unwrap(),
        thinking: sympozium_core::chat::ThinkingEffort::Off,
        context_window: None,
        remaining_ms: 60_000,
        max_turns: 50,
        targets: vec![],
        typed_tools: vec![],
        memory_max_bytes: None,
        reply_to: None,
    }
}

impl FakeGateway {
    pub(crate) fn start(folder: &Path, plays: Vec<Play>) -> Self {
        let socket = folder.join("gateway.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let state = Arc::new(Mutex::new(State {
            input: run_input(),
            not_ready: 0,
            refuse_run: None,
            plays: plays.into(),
            closes: false,
            recorded: BTreeMap::new(),
            seen: Seen::default(),
        }));
        let shared = state.clone();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let state = shared.clone();
                let keep = {
                    let mut state = state.lock().unwrap();
                    state.seen.connections += 1;
                    !state.closes
                };
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(state.clone(), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .keep_alive(keep)
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            socket,
            state,
            _server: server,
        }
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

fn whole(status: u16, body: impl serde::Serialize) -> Response<Body> {
    let body = Full::new(Bytes::from(serde_json::to_vec(&body).unwrap()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn refuse(problem: &Problem) -> Response<Body> {
    whole(problem.status, problem)
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let mut state = state.lock().unwrap();
    Ok(match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/v1/run") => {
            state.seen.run_requests += 1;
            if state.not_ready > 0 {
                state.not_ready -= 1;
                let mut problem = Problem::new(ProblemKind::RunNotReady, "not yet");
                problem.retry_after_ms = Some(1);
                refuse(&problem)
            } else if let Some(problem) = &state.refuse_run {
                refuse(problem)
            } else {
                whole(200, &state.input)
            }
        }
        (&Method::POST, "/v1/fetch") => {
            let page: FetchRequest = serde_json::from_slice(&body).unwrap();
            if page.url.contains("127.0.0.1") {
                refuse(&Problem::new(
                    ProblemKind::EgressRefused,
                    "The address 127.0.0.1 is not public.",
                ))
            } else {
                whole(
                    200,
                    FetchResponse {
                        url: page.url,
                        status: 200,
                        content_type: "text/plain".to_owned(),
                        text: "page".to_owned(),
                        cut_chars: 7,
                    },
                )
            }
        }
        (&Method::POST, "/v1/chat") => {
            let step = parts
                .headers
                .get(STEP_HEADER)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            chat(&mut state, step, &body)
        }
        _ => refuse(&Problem::new(ProblemKind::NotFound, "no such path")),
    })
}

fn chat(state: &mut State, step: String, body: &[u8]) -> Response<Body> {
    let turn: TurnRequest = serde_json::from_slice(body).unwrap();
    state.seen.bytes.push(body.len());
    state.seen.turns.push((step.clone(), turn.clone()));
    if let Some(events) = state.recorded.get(&step) {
        return stream(events, End::Proper);
    }
    if turn.base as usize != state.seen.messages.len() {
        return refuse(&Problem::new(
            ProblemKind::StepConflict,
            "the conversation does not continue what is stored",
        ));
    }
    let play = state.plays.pop_front().expect("one more answer");
    state.seen.model_calls += 1;
    let (events, end) = match play {
        Play::Says(text) => (says(&text), End::Proper),
        Play::Calls(made) => (calls(&step, made), End::Proper),
        Play::DropsThenSays(text) => (says(&text), End::Dropped),
        Play::Problem(problem) => {
            let half = GatewayEvent::Chat(ChatEvent::TextDelta {
                index: 0,
                text: "half".to_owned(),
            });
            return stream(&[half, GatewayEvent::Problem(problem)], End::Proper);
        }
        Play::Hangs => return stream(&says("hm")[..1], End::Never),
    };
    let mut answer = sympozium_core::chat::Accumulator::default();
    for event in &events {
        if let GatewayEvent::Chat(event) = event {
            answer.push(event);
        }
    }
    state.seen.messages.extend(turn.messages);
    state.seen.messages.push(answer.finish().unwrap().message);
    state.recorded.insert(step, events.clone());
    match end {
        End::Dropped => stream(&events[..1], End::Dropped),
        End::Proper | End::Never => stream(&events, end),
    }
}

fn done(finish: FinishReason) -> GatewayEvent {
    GatewayEvent::Chat(ChatEvent::Done {
        finish,
        usage: Some(Usage {
            input_tokens: 10,
            output_tokens: 5,
            ..Usage::default()
        }),
        model: None,
    })
}

fn says(text: &str) -> Vec<GatewayEvent> {
    let text = ChatEvent::TextDelta {
        index: 0,
        text: text.to_owned(),
    };
    vec![GatewayEvent::Chat(text), done(FinishReason::Stop)]
}

fn calls(step: &str, made: Vec<(String, Value)>) -> Vec<GatewayEvent> {
    let mut events = Vec::new();
    for (index, (name, arguments)) in (0..).zip(made) {
        events.push(GatewayEvent::Chat(ChatEvent::ToolCallStart {
            index,
            id: CallId::new(format!("{step}-{index}")).unwrap(),
            name: ToolName::new(name).unwrap(),
        }));
        let arguments = arguments.to_string();
        events.push(GatewayEvent::Chat(ChatEvent::ToolCallDelta { index, arguments }));
    }
    events.push(done(FinishReason::ToolCalls));
    events
}

#[derive(Clone, Copy)]
enum End {
    Proper,
    Dropped,
    Never,
}

fn stream(events: &[GatewayEvent], end: End) -> Response<Body> {
    use futures::StreamExt;
    let mut frames: Vec<Result<Frame<Bytes>, std::io::Error>> = events
        .iter()
        .map(|event| {
            let json = serde_json::to_value(event).unwrap();
            let text = format!(
                ": ok\n\nevent: {}\ndata: {}\n\n",
                json["event"].as_str().unwrap(),
                json["data"]
            );
            Ok(Frame::data(Bytes::from(text)))
        })
        .collect();
    if matches!(end, End::Dropped) {
        frames.push(Err(std::io::Error::other("dropped")));
    }
    let frames = futures::stream::iter(frames);
    let frames = match end {
        End::Never => frames.chain(futures::stream::pending()).boxed(),
        End::Proper | End::Dropped => frames.boxed(),
    };
    let body = http_body_util::BodyExt::boxed(StreamBody::new(SyncStream(Mutex::new(frames))));
    Response::new(body)
}

/// A boxed stream is not `Sync`, which a boxed body has to be.
struct SyncStream(Mutex<futures::stream::BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>);

impl futures::Stream for SyncStream {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.lock().unwrap().as_mut().poll_next(cx)
    }
}
