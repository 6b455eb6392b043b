//! Chat completions over TCP with a bearer token, byte by byte. The official client is a test of its own, in Python.

use crate::providers::{Gated, done, fake, text};
use crate::scene::{DEADLINE, Said, gateway, plan, said};
use http::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;
use sympozium_core::chat::{ChatEvent, FinishReason, Usage};
use sympozium_core::llm::{LlmError, LlmProvider};
use sympozium_core::policy::Pattern;
use sympozium_core::run::RunPlan;
use sympozium_core::testing::FakeAnswer;
use sympozium_llm::gateway::TokenAuth;
use tokio_util::sync::{CancellationToken, DropGuard};

struct Server {
    url: String,
    client: reqwest::Client,
    _stop: DropGuard,
}

impl Server {
    async fn start(provider: Arc<dyn LlmProvider>, plan: RunPlan) -> Self {
        let auth = TokenAuth::new(&SecretString::from("the-token"), Arc::new(plan));
        let gateway = gateway(provider).authenticate(Arc::new(auth)).build().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { gateway.serve_tcp(listener, stopped).await });
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(DEADLINE)
            .build()
            .unwrap();
        Self {
            url,
            client,
            _stop: stop.drop_guard(),
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth("the-token")
    }

    fn completion(&self, body: &Value) -> reqwest::RequestBuilder {
        self.request(Method::POST, "/v1/chat/completions")
            .body(body.to_string())
    }

    async fn complete(&self, body: &Value) -> Said {
        said(self.completion(body)).await
    }
}

fn asked(more: &Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn code(said: &Said) -> (u16, &str, &str) {
    let error = &said.1["error"];
    (
        said.0,
        error["type"].as_str().unwrap_or("none"),
        error["code"].as_str().unwrap_or("none"),
    )
}

/// The data of a stream's events.
fn data(stream: &Value) -> Vec<&str> {
    stream
        .as_str()
        .unwrap()
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .collect()
}

#[tokio::test]
async fn a_plain_answer_arrives_whole_with_its_usage() {
    let provider = fake([FakeAnswer::text("hello", 3, 1)]);
    let server = Server::start(provider.clone(), plan()).await;
    let (status, answer) = server
        .complete(&asked(&json!({"temperature": 0, "max_tokens": 9})))
        .await;
    assert_eq!(
        (status, &answer["object"], &answer["model"]),
        (200, &json!("chat.completion"), &json!("m"))
    );
    assert_eq!(answer["choices"][0]["message"]["content"], "hello");
    assert_eq!(answer["usage"]["total_tokens"], 4);
    assert_eq!(provider.requests()[0].max_tokens, Some(9));
}

#[tokio::test]
async fn a_stream_says_its_calls_its_usage_and_its_end() {
    let events = vec![
        Ok(text("let me see")),
        Ok(ChatEvent::ToolCallStart {
            index: 1,
            id: "c1".parse().unwrap(),
            name: "look".parse().unwrap(),
        }),
        Ok(ChatEvent::ToolCallDelta {
            index: 1,
            arguments: "{\"at\":1}".to_owned(),
        }),
        Ok(ChatEvent::Done {
            finish: FinishReason::ToolCalls,
            usage: Some(Usage::default()),
            model: None,
        }),
    ];
    let server = Server::start(fake([FakeAnswer::Events(events)]), plan()).await;
    let body = asked(&json!({
        "stream": true, "stream_options": {"include_usage": true},
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }));
    let (status, stream) = server.complete(&body).await;
    let data = data(&stream);
    assert_eq!((status, data.len(), *data.last().unwrap()), (200, 7, "[DONE]"));
    let chunks: Vec<Value> = data[..6]
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(chunks[1]["choices"][0]["delta"]["content"], "let me see");
    assert_eq!(
        chunks[2]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"],
        "look"
    );
    assert_eq!(
        chunks[3]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"],
        "{\"at\":1}"
    );
    assert_eq!(chunks[4]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(chunks[5]["usage"]["total_tokens"], 0);
}

#[tokio::test]
async fn what_is_refused_has_openais_shape_and_its_own_status() {
    let mut plan = plan();
    plan.policies[0].models.deny = vec![Pattern::new("forbidden").unwrap()];
    let server = Server::start(fake([]), plan).await;
    let of = |model: &str| asked(&json!({ "model": model }));
    assert_eq!(
        code(&server.complete(&of("forbidden")).await),
        (403, "permission_error", "model-not-allowed")
    );
    assert_eq!(
        code(&server.complete(&asked(&json!({"n": 2}))).await),
        (400, "invalid_request_error", "invalid_value")
    );
    let broken = server.request(Method::POST, "/v1/chat/completions").body("{");
    assert_eq!(
        code(&said(broken).await),
        (400, "invalid_request_error", "bad-request")
    );
    let stranger = server
        .client
        .post(format!("{}/v1/chat/completions", server.url))
        .bearer_auth("wrong");
    assert_eq!(
        code(&said(stranger).await),
        (401, "authentication_error", "invalid_api_key")
    );
    let models = said(server.request(Method::GET, "/v1/models")).await;
    assert_eq!(models.1["data"][0]["id"], "m");
    assert_eq!(said(server.request(Method::GET, "/v1/models/m")).await.0, 200);
    let unknown = said(server.request(Method::GET, "/v1/models/a/b")).await;
    assert_eq!(code(&unknown), (404, "invalid_request_error", "model_not_found"));
    assert_eq!(said(server.request(Method::POST, "/v1/embeddings")).await.0, 404);
}

#[tokio::test]
async fn a_used_up_budget_tells_the_client_not_to_try_again() {
    let mut plan = plan();
    plan.policies[0].budget.per_run.tokens = Some(10);
    let server = Server::start(fake([]), plan).await;
    let answer = server.completion(&asked(&json!({}))).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-should-retry"]),
        (429, &"false".parse().unwrap())
    );
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "insufficient_quota");
    assert_eq!(body["error"]["rule"], "budget.perRun");
}

#[tokio::test]
async fn a_busy_provider_is_a_status_before_a_stream_and_an_event_within() {
    let busy = || LlmError::RateLimited {
        after: Some(std::time::Duration::from_secs(90)),
        detail: "slow down".to_owned(),
    };
    let gone = LlmError::Interrupted {
        detail: "gone".to_owned(),
    };
    let answers = [
        FakeAnswer::Error(busy()),
        FakeAnswer::Events(vec![Ok(text("half")), Err(gone)]),
    ];
    let provider = fake(answers);
    let server = Server::start(provider.clone(), plan()).await;
    let stream = asked(&json!({"stream": true}));
    let answer = server.completion(&stream).send().await.unwrap();
    let headers = answer.headers().clone();
    assert_eq!(
        (answer.status().as_u16(), &headers["retry-after"]),
        (429, &"90".parse().unwrap())
    );
    assert_eq!(&headers["retry-after-ms"], "90000");
    // What was passed on can't be taken back here, so a broken stream is not begun anew.
    let (status, said) = server.complete(&stream).await;
    let data = data(&said);
    assert_eq!((status, data.len()), (200, 3));
    let error: Value = serde_json::from_str(data[2]).unwrap();
    assert_eq!(error["error"]["code"], "provider-unavailable");
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_step_replays_whether_it_is_streamed_or_not() {
    let provider = fake([FakeAnswer::Events(vec![Ok(text("hello")), Ok(done(None))])]);
    let server = Server::start(provider.clone(), plan()).await;
    let step = |body: &Value| server.completion(body).header("idempotency-key", "s");
    let whole = said(step(&asked(&json!({})))).await;
    let streamed = said(step(&asked(&json!({"stream": true})))).await;
    assert_eq!((whole.0, streamed.0, provider.requests().len()), (200, 200, 1));
    assert_eq!(whole.1["choices"][0]["message"]["content"], "hello");
    let chunk: Value = serde_json::from_str(data(&streamed.1)[1]).unwrap();
    assert_eq!(
        (&chunk["choices"][0]["delta"]["content"], &chunk["id"]),
        (&json!("hello"), &whole.1["id"])
    );
    let other = said(step(&asked(&json!({"temperature": 1})))).await;
    assert_eq!(code(&other), (409, "invalid_request_error", "step-conflict"));
}

#[tokio::test]
async fn a_whole_answer_is_waited_for() {
    let provider = Gated::new();
    let server = Server::start(provider.clone(), plan()).await;
    let request = server.completion(&asked(&json!({})));
    let waiting = tokio::spawn(said(request));
    provider.let_on();
    let (status, answer) = tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap();
    assert_eq!(
        (status, &answer["choices"][0]["message"]["content"]),
        (200, &json!("first, last"))
    );
}
