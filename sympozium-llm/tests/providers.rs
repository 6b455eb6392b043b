//! Providers against servers that play both wire formats, faithfully and not.
#![cfg(all(feature = "openai", feature = "anthropic"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[cfg(test)]
mod peer;

use async_trait::async_trait;
use futures::StreamExt;
use peer::{Act, DEADLINE, Peer, STREAM, answer, chunked};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::{ChatEvent, ChatRequest, Message};
use sympozium_core::error::{Classify, Retry, chain};
use sympozium_core::ids::{ModelName, ProviderName};
use sympozium_core::llm::{LlmError, LlmProvider};
use sympozium_llm::http::{AddressRules, GuardedClient, Resolve};
use sympozium_llm::providers::{ProviderRegistry, ProviderSettings};
use tokio::time::timeout;

const OPENAI: &str = r#": keep-alive

data: {"id":"c","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hé"},"finish_reason":null}]}

: keep-alive

data: {"id":"c","choices":[{"index":0,"delta":{"content":"llo 😀"},"finish_reason":null,"new_field":{}}]}

event: news
data: {"id":"c","object":"something.new"}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}

data: [DONE]

"#;

const ANTHROPIC: &str = r#"event: message_start
data: {"type":"message_start","message":{"model":"m-1","usage":{"input_tokens":9,"output_tokens":1}}}

event: ping
data: {"type": "ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Héllo 😀"}}

event: something_new
data: {"type":"something_new","x":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}

event: message_stop
data: {"type":"message_stop"}

"#;

fn request() -> ChatRequest {
    ChatRequest::new(ModelName::new("m").unwrap()).messages(vec![Message::user("hi")])
}

/// The error of a call to a server that does this.
async fn failure(name: &str, act: Act) -> LlmError {
    let peer = Peer::playing([act]).await;
    let provider = peer.provider(name, "/v1");
    timeout(DEADLINE, provider.chat(request()))
        .await
        .unwrap()
        .unwrap_err()
}

/// The text that came before the error, and the error.
async fn broken(provider: &dyn LlmProvider) -> (String, LlmError) {
    let mut stream = provider.stream(request()).await.unwrap();
    let mut text = String::new();
    loop {
        match timeout(DEADLINE, stream.next())
            .await
            .unwrap()
            .expect("the stream ends in an error")
        {
            Ok(ChatEvent::TextDelta { text: more, .. }) => text.push_str(&more),
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(stream.next().await.is_none(), "something follows an error");
                return (text, error);
            }
        }
    }
}

#[tokio::test]
async fn answers_arrive_whole_in_chunks_of_any_size() {
    for (name, body) in [("openai", OPENAI), ("anthropic", ANTHROPIC)] {
        for size in [1, 2, 3, 7, 64, 1 << 20] {
            let peer = Peer::playing([Act::Send(chunked(body, size))]).await;
            let answer = peer.provider(name, "/v1").chat(request()).await.unwrap();
            assert_eq!(answer.message.text(), "Héllo 😀", "{name} {size}");
            let usage = answer.usage.unwrap();
            assert_eq!((usage.input_tokens, usage.output_tokens), (9, 2));
            assert_eq!(answer.model.as_deref(), Some("m-1"));
        }
    }
}

#[tokio::test]
async fn each_format_sends_its_path_key_and_body() {
    for (name, path, expected, body) in [
        (
            "openai",
            "/v1",
            &[
                "POST /v1/chat/completions HTTP/1.1",
                "authorization: Bearer sk-canary",
            ][..],
            OPENAI,
        ),
        ("ollama", "", &["POST /v1/chat/completions HTTP/1.1"], OPENAI),
        (
            "azure-openai",
            "",
            &[
                "POST /openai/deployments/m/chat/completions?api-version=2024-10-21 HTTP/1.1",
                "api-key: sk-canary",
            ],
            OPENAI,
        ),
        (
            "anthropic",
            "",
            &[
                "POST /v1/messages HTTP/1.1",
                "x-api-key: sk-canary",
                "anthropic-version: 2023-06-01",
            ],
            ANTHROPIC,
        ),
    ] {
        let peer = Peer::playing([Act::Send(chunked(body, 64))]).await;
        peer.provider(name, path).chat(request()).await.unwrap();
        let sent = peer.requests().remove(0);
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        for line in expected
            .iter()
            .chain(&["content-type: application/json", "accept: text/event-stream"])
        {
            assert!(head.lines().any(|sent| sent == *line), "{name}: {line}\n{head}");
        }
        assert_eq!(
            head.contains("authorization"),
            !matches!(name, "azure-openai" | "anthropic"),
            "{name}"
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["model"], &body["stream"]), (&"m".into(), &true.into()));
    }
}

#[tokio::test]
async fn refusals_have_their_class_and_say_when_to_try_again() {
    let after = |millis| Retry::After(Duration::from_millis(millis));
    for (status, headers, body, kind, retry) in [
        (429, "retry-after: 7\r\n", "{}", "rate-limited", after(7000)),
        (
            429,
            "retry-after-ms: 250\r\nretry-after: 7\r\n",
            "{}",
            "rate-limited",
            after(250),
        ),
        (
            429,
            "date: Fri, 02 Jan 2026 05:00:00 GMT\r\nretry-after: Fri, 02 Jan 2026 05:00:09 GMT\r\n",
            "{}",
            "rate-limited",
            after(9000),
        ),
        (429, "", "{}", "rate-limited", Retry::Backoff),
        (
            529,
            "retry-after: 3\r\n",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "unavailable",
            after(3000),
        ),
        (503, "", "<html>", "unavailable", Retry::Backoff),
        (500, "", "", "unavailable", Retry::Backoff),
        (
            401,
            "",
            r#"{"error":{"message":"no"}}"#,
            "authentication",
            Retry::Never,
        ),
        (403, "", "", "authentication", Retry::Never),
        (402, "", "", "quota-exhausted", Retry::Never),
        (
            429,
            "retry-after: 7\r\n",
            r#"{"error":{"code":"insufficient_quota"}}"#,
            "quota-exhausted",
            Retry::Never,
        ),
        (
            400,
            "",
            r#"{"error":{"code":"context_length_exceeded","message":"m"}}"#,
            "context-length",
            Retry::Never,
        ),
        (
            400,
            "",
            r#"{"error":{"message":"m"}}"#,
            "bad-request",
            Retry::Never,
        ),
        (
            404,
            "",
            r#"{"error":"model 'm' not found"}"#,
            "bad-request",
            Retry::Never,
        ),
        (
            308,
            "location: https://elsewhere.example/\r\n",
            "",
            "bad-request",
            Retry::Never,
        ),
    ] {
        for name in ["openai", "anthropic"] {
            let error = failure(name, Act::Send(answer(status, headers, body))).await;
            assert_eq!(
                (error.kind(), error.retry()),
                (kind, retry),
                "{name} {status} {headers} {body}"
            );
        }
    }
}

#[tokio::test]
async fn a_provider_makes_one_attempt() {
    let peer = Peer::playing([Act::Send(answer(503, "", "")), Act::Send(chunked(OPENAI, 64))]).await;
    let provider = peer.provider("openai", "/v1");
    assert!(provider.chat(request()).await.is_err());
    assert_eq!(peer.requests().len(), 1);
}

#[tokio::test]
async fn a_key_never_comes_back_in_an_error() {
    let echo = r#"{"error":{"message":"Incorrect API key provided: sk-canary (sk-c***nary)."}}"#;
    for name in ["openai", "anthropic"] {
        let error = failure(name, Act::Send(answer(401, "", echo))).await;
        let said = format!("{error} {error:?} {}", chain(&error));
        assert!(said.contains("Incorrect API key provided: [key]"), "{said}");
        assert!(!said.contains("canary") && !said.contains("nary"), "{said}");
    }
    let within = format!("{STREAM}data: {{\"error\":{{\"message\":\"key sk-canary is bad\"}}}}\n\n");
    let error = failure("openai", Act::Send(within.into_bytes())).await;
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[tokio::test]
async fn an_error_in_the_middle_comes_after_what_was_said() {
    let half = |body: &str, end: &str, error: &str| {
        let (said, _) = body.split_once(end).unwrap();
        format!("{STREAM}{said}{error}\n\n").into_bytes()
    };
    for (name, body, kind) in [
        (
            "openai",
            half(
                OPENAI,
                "event: news",
                r#"data: {"error":{"message":"gone","type":"server_error"}}"#,
            ),
            "interrupted",
        ),
        (
            "openai",
            half(OPENAI, "event: news", r#"data: {"choices":[{"del"#),
            "protocol",
        ),
        (
            "anthropic",
            half(
                ANTHROPIC,
                "event: something",
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
            ),
            "unavailable",
        ),
        (
            "anthropic",
            half(ANTHROPIC, "event: something", r#"data: {"type":"content_blo"#),
            "protocol",
        ),
    ] {
        let peer = Peer::playing([Act::Send(body)]).await;
        let (text, error) = broken(peer.provider(name, "/v1").as_ref()).await;
        assert_eq!((text.as_str(), error.kind()), ("Héllo 😀", kind), "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_no_answer_however_it_breaks() {
    for (name, body, end) in [
        ("openai", OPENAI, "event: news"),
        ("anthropic", ANTHROPIC, "event: something"),
    ] {
        let (said, _) = body.split_once(end).unwrap();
        let plain = format!("{STREAM}{said}data: {{\"cho");
        let promised = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n{said}"
        );
        let mut unfinished = chunked(said, 16);
        unfinished.truncate(unfinished.len() - 5);
        for act in [
            Act::Send(plain.clone().into_bytes()),
            Act::Reset(plain.into_bytes()),
            Act::Send(promised.into_bytes()),
            Act::Send(unfinished),
        ] {
            let peer = Peer::playing([act]).await;
            let (text, error) = broken(peer.provider(name, "/v1").as_ref()).await;
            assert_eq!(
                (text.as_str(), error.kind()),
                ("Héllo 😀", "interrupted"),
                "{name}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn dropping_a_stream_closes_its_connection() {
    for (name, body) in [("openai", OPENAI), ("anthropic", ANTHROPIC)] {
        let (said, _) = body.split_once("new").unwrap();
        let said = said.rsplit_once("\n\n").unwrap().0;
        let mut peer = Peer::playing([Act::Hang(format!("{STREAM}{said}\n\n").into_bytes())]).await;
        let mut stream = peer.provider(name, "/v1").stream(request()).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        drop(stream);
        peer.client_is_gone().await;
    }
}

#[tokio::test]
async fn a_server_that_never_answers_can_be_left() {
    let mut peer = Peer::playing([Act::Hang(b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec())]).await;
    let provider = peer.provider("openai", "/v1");
    let call = tokio::spawn(async move { provider.chat(request()).await.map(|_| ()) });
    peer.is_asked().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    peer.client_is_gone().await;
}

#[tokio::test]
async fn an_answer_that_is_no_stream_says_what_it_is() {
    let json = "content-type: application/json\r\n";
    let error = failure(
        "openai",
        Act::Send(answer(
            200,
            json,
            r#"{"error":{"code":"insufficient_quota","message":"m"}}"#,
        )),
    )
    .await;
    assert_eq!(error.kind(), "quota-exhausted");
    let error = failure(
        "openai",
        Act::Send(answer(200, json, r#"{"choices":[],"error":null}"#)),
    )
    .await;
    assert_eq!(error.kind(), "protocol");
    let error = failure(
        "anthropic",
        Act::Send(answer(200, "content-type: text/html\r\n", "<html>")),
    )
    .await;
    assert_eq!(
        error.to_string(),
        "the provider's answer could not be understood: it answered 200 with text/html instead of a stream of events; \
         is the base URL right?"
    );
}

#[tokio::test]
async fn endless_bodies_and_events_are_bounded() {
    let head = b"HTTP/1.1 500 X\r\nconnection: close\r\n\r\n".to_vec();
    let mut peer = Peer::playing([Act::Flood(head, vec![b'x'; 4096])]).await;
    let error = timeout(DEADLINE, peer.provider("openai", "/v1").chat(request()))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), "unavailable");
    assert!(error.to_string().len() < 1000);
    peer.client_is_gone().await;

    let mut peer = Peer::playing([Act::Flood(
        format!("{STREAM}data: ").into_bytes(),
        vec![b'x'; 65536],
    )])
    .await;
    let error = timeout(DEADLINE, peer.provider("openai", "/v1").chat(request()))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), "protocol");
    peer.client_is_gone().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_matter_of_connecting() {
    let peer = Peer::playing([Act::Send(Vec::new())]).await;
    let provider = peer.provider("openai", "/v1");
    let error = provider.chat(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), ("connect", Retry::Backoff));
    drop(peer);
    let error = provider.chat(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), ("connect", Retry::Backoff));
}

/// Every name leads to this machine.
struct Inside;

#[async_trait]
impl Resolve for Inside {
    async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }
}

#[tokio::test]
async fn a_provider_whose_name_leads_inside_is_refused_when_it_is_called() {
    let peer = Peer::playing([Act::Send(chunked(OPENAI, 64))]).await;
    let client = GuardedClient::with_resolver(AddressRules::public_only(), Arc::new(Inside)).unwrap();
    let settings = ProviderSettings {
        base_url: Some(format!("http://llm.example:{}/v1", peer.port).parse().unwrap()),
        ..ProviderSettings::new(ProviderName::new("openai").unwrap())
    };
    let provider = ProviderRegistry::standard().build(settings, &client).unwrap();
    let error = provider.chat(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), ("address-refused", Retry::Never));
    assert!(
        error.to_string().contains("127.0.0.1, a loopback address"),
        "{error}"
    );
    assert!(peer.requests().is_empty());
}
