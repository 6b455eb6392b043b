//! A gateway that serves runs on sockets of their own, and clients of it.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::{Message, ToolChoice};
use sympozium_core::llm::LlmProvider;
use sympozium_core::run::RunPlan;
use sympozium_core::store::InMemoryStore;
use sympozium_core::testing::run_plan;
use sympozium_llm::agent::{ModelCall, ModelClient, Turn, TurnEvent};
use sympozium_llm::gateway::{
    Gateway, GatewayBuilder, GatewayLimits, ListenerAuth, RunSocket, ServeError, Stores,
};
use sympozium_llm::retry::RetryPolicy;
use sympozium_llm::runner::{GatewayClient, GatewayEndpoint};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long anything may take that is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A run of provider `fake` and model `m`, under a policy that allows everything.
pub(crate) fn plan() -> RunPlan {
    run_plan("the task")
}

/// Limits without pauses that a test would notice.
pub(crate) fn limits() -> GatewayLimits {
    let retry = RetryPolicy {
        base: Duration::from_millis(1),
        cap: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    GatewayLimits {
        retry,
        default_output_tokens: 500,
        ..GatewayLimits::default()
    }
}

/// A gateway with one provider and stores in memory.
pub(crate) fn gateway(provider: Arc<dyn LlmProvider>) -> GatewayBuilder {
    Gateway::builder()
        .provider("fake".parse().unwrap(), provider)
        .stores(Stores::all(Arc::new(InMemoryStore::new())))
        .limits(limits())
}

pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) runs: Arc<ListenerAuth>,
    folder: tempfile::TempDir,
    stop: CancellationToken,
    servers: JoinSet<Result<(), ServeError>>,
    _stop_in_the_end: DropGuard,
}

impl Scene {
    pub(crate) fn new(builder: GatewayBuilder) -> Self {
        let runs = Arc::new(ListenerAuth::default());
        let stop = CancellationToken::new();
        Self {
            gateway: builder.authenticate(runs.clone()).build().unwrap(),
            runs,
            folder: tempfile::tempdir().unwrap(),
            _stop_in_the_end: stop.clone().drop_guard(),
            stop,
            servers: JoinSet::new(),
        }
    }

    /// Serves a run on a socket of its own, which is named by the run's UID.
    pub(crate) fn open(&mut self, plan: &RunPlan) -> PathBuf {
        let name = plan.run.uid.to_string();
        let path = self.folder.path().join(&name);
        let socket = RunSocket::bind(&path).unwrap();
        self.runs.register(name.clone(), Arc::new(plan.clone()));
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        self.servers
            .spawn(async move { gateway.serve_socket(socket, &name, stop).await });
        path
    }

    /// A run with the plan of all tests, and its two clients.
    pub(crate) fn run(&mut self) -> (RunPlan, GatewayClient, Raw) {
        let plan = plan();
        let path = self.open(&plan);
        (plan, client(&path), Raw::new(&path))
    }

    /// Stops all listeners, and waits for them and for all turns.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.servers.join_next().await {
            ended.unwrap().unwrap();
        }
        tokio::time::timeout(DEADLINE, self.gateway.drain())
            .await
            .unwrap();
    }
}

pub(crate) fn client(socket: &std::path::Path) -> GatewayClient {
    GatewayClient::new(GatewayEndpoint::Unix(socket.to_owned())).patience(Duration::from_secs(10))
}

/// The step of that name, which says `text` to the model as the run's first message.
pub(crate) fn call(step: &str, text: &str) -> ModelCall {
    ModelCall {
        step: step.parse().unwrap(),
        base: 0,
        messages: vec![Message::user(text)],
        tool_choice: ToolChoice::Auto,
        shorten: None,
        is_last: false,
    }
}

/// Takes a turn, and gives the text of the answer with everything that was heard of it.
pub(crate) async fn turn(client: &GatewayClient, call: &ModelCall) -> (String, Vec<TurnEvent>) {
    let mut heard = Vec::new();
    let answer = try_turn(client, call, &mut heard).await.unwrap();
    (answer, heard)
}

pub(crate) async fn try_turn(
    client: &GatewayClient,
    call: &ModelCall,
    heard: &mut Vec<TurnEvent>,
) -> Result<String, sympozium_core::llm::LlmError> {
    let turn = Turn {
        call,
        messages: &call.messages,
        system: None,
        tools: &[],
    };
    let mut hear = |event| heard.push(event);
    let answer = tokio::time::timeout(DEADLINE, client.turn(turn, &mut hear)).await;
    Ok(answer.expect("the turn ends in time")?.message.text())
}

/// The body of that turn, as it travels.
pub(crate) fn body(text: &str) -> Value {
    json!({"base": 0, "messages": [Message::user(text)]})
}

/// HTTP by hand over a run's socket.
#[derive(Clone)]
pub(crate) struct Raw(reqwest::Client);

/// A status and a JSON body.
pub(crate) type Said = (u16, Value);

impl Raw {
    pub(crate) fn new(socket: &std::path::Path) -> Self {
        let client = reqwest::Client::builder()
            .unix_socket(socket.to_owned())
            .timeout(DEADLINE);
        Self(client.build().unwrap())
    }

    pub(crate) fn to(&self, method: http::Method, path: &str) -> reqwest::RequestBuilder {
        self.0.request(method, format!("http://gateway{path}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        said(self.to(http::Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Said {
        said(self.to(http::Method::POST, path).body(body.to_string())).await
    }

    /// A turn under a step; a stream becomes one text.
    pub(crate) async fn chat(&self, step: &str, body: &Value) -> Said {
        let request = self
            .to(http::Method::POST, "/v1/chat")
            .header("idempotency-key", step);
        said(request.body(body.to_string())).await
    }

    /// A turn under a step, as it streams.
    pub(crate) async fn streamed(&self, step: &str, body: &Value) -> reqwest::Response {
        let request = self
            .to(http::Method::POST, "/v1/chat")
            .header("idempotency-key", step);
        request.body(body.to_string()).send().await.unwrap()
    }
}

/// Sends; what is no JSON becomes a string.
pub(crate) async fn said(request: reqwest::RequestBuilder) -> Said {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The short name of the problem in an answer.
pub(crate) fn kind(said: &Said) -> &str {
    said.1["type"]
        .as_str()
        .and_then(|kind| kind.rsplit(':').next())
        .unwrap_or("none")
}

/// Reads a stream until `wanted` is in it.
pub(crate) async fn until(response: &mut reqwest::Response, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let piece = tokio::time::timeout(DEADLINE, response.chunk())
            .await
            .expect("it comes in time");
        let piece = piece
            .unwrap()
            .unwrap_or_else(|| panic!("the stream ended without {wanted}: {seen}"));
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    seen
}
