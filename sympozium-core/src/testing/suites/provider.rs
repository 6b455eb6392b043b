//! The suite of [`LlmProvider`].

use super::{ok, same, some};
use crate::chat::{ChatEvent, ChatRequest, ChatResponse, FinishReason, Message, ToolSpec, Usage};
use crate::error::{Classify, Retry};
use crate::ids::{ModelName, ToolName};
use crate::llm::{ChatStream, LlmError, LlmProvider};
use async_trait::async_trait;
use futures::{StreamExt, future::join};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// How long something that has to happen may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the far side does with one call.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerAnswer {
    /// It says this, and what it used if it says so.
    Text {
        /// What it says.
        text: String,
        /// What it says that it used; `None` = nothing about it.
        usage: Option<Usage>,
    },
    /// It calls these tools with these arguments, and waits for their results.
    ToolCalls(Vec<(ToolName, Value)>),
    /// It begins with this text, and then the connection breaks.
    BreaksOff {
        /// The beginning.
        text: String,
    },
    /// It begins with this text, and then says nothing more.
    Hangs {
        /// The beginning.
        text: String,
    },
    /// It refuses the key.
    RefusesKey,
    /// It asks to come again later.
    SlowDown {
        /// When. Whole seconds.
        after: Duration,
    },
}

/// The far side of a provider under test: mostly a small server that speaks the provider's own protocol.
#[async_trait]
pub trait ProviderPeer: Send + Sync {
    /// A provider whose calls are answered like this, in their order.
    async fn provider(&self, answers: Vec<PeerAnswer>) -> Arc<dyn LlmProvider>;

    /// How many calls have come so far, for all providers of this peer.
    fn calls(&self) -> usize;

    /// How many calls were given up by the provider's side so far, before they were answered.
    fn hang_ups(&self) -> usize;
}

/// Checks an [`LlmProvider`] against a far side that does as it is told.
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn llm_provider(peer: &dyn ProviderPeer) {
    a_whole_answer_ends_with_done(peer).await;
    usage_that_is_not_told_is_not_made_up(peer).await;
    tool_calls_come_whole_and_in_their_order(peer).await;
    an_answer_that_breaks_off_is_no_answer(peer).await;
    a_refused_key_is_said_after_one_attempt(peer).await;
    a_request_to_slow_down_says_for_how_long(peer).await;
    dropping_the_stream_ends_the_call(peer).await;
    calls_at_the_same_time_are_apart(peer).await;
}

fn request() -> ChatRequest {
    let model = ok(ModelName::new("suite-model"), "the suite's model name is valid");
    let mut request = ChatRequest::new(model).messages(vec![Message::user("Say something.")]);
    request.max_tokens = Some(256);
    request.tools = ["look", "find"]
        .map(|name| ToolSpec {
            name: tool(name),
            description: "Looks for something.".to_owned(),
            parameters: json!({"type": "object", "properties": {"where": {"type": "string"}}}),
        })
        .to_vec();
    request
}

fn tool(name: &str) -> ToolName {
    ok(ToolName::new(name), "the suite's tool name is valid")
}

fn said(text: &str) -> PeerAnswer {
    PeerAnswer::Text {
        text: text.to_owned(),
        usage: Some(Usage {
            input_tokens: 12,
            output_tokens: 3,
            ..Usage::default()
        }),
    }
}

async fn chat(provider: &dyn LlmProvider, expected: &str) -> ChatResponse {
    ok(provider.chat(request()).await, expected)
}

async fn stream(provider: &dyn LlmProvider, expected: &str) -> ChatStream {
    ok(provider.stream(request()).await, expected)
}

/// The error of a call, whether it comes at once or within the stream; all events before it are dropped.
async fn error_of(provider: &dyn LlmProvider, expected: &str) -> LlmError {
    let mut stream = match provider.stream(request()).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    while let Some(event) = stream.next().await {
        if let Err(error) = event {
            return error;
        }
    }
    panic!("{expected}, but the stream ended without an error")
}

async fn a_whole_answer_ends_with_done(peer: &dyn ProviderPeer) {
    let text = "Grüße, \u{1F389}\nand a second line.";
    let provider = peer.provider(vec![said(text), said(text)]).await;
    let events: Vec<_> = stream(&*provider, "a call can be made").await.collect().await;
    let events: Vec<ChatEvent> = events
        .into_iter()
        .map(|event| ok(event, "a whole answer has no errors"))
        .collect();
    let last = events
        .iter()
        .position(|event| matches!(event, ChatEvent::Done { .. }));
    same(
        &last,
        &events.len().checked_sub(1),
        "Done comes once, and nothing follows it",
    );
    let whole = chat(&*provider, "a whole answer can be collected").await;
    assert!(
        whole.message.text() == text,
        "a text comes as it was said: {:?}",
        whole.message.text()
    );
    same(&whole.finish, &FinishReason::Stop, "the model was done");
    let usage = some(whole.usage, "usage that the far side tells is handed on");
    same(
        &(usage.input_tokens, usage.output_tokens),
        &(12, 3),
        "usage is as it was told",
    );
}

async fn usage_that_is_not_told_is_not_made_up(peer: &dyn ProviderPeer) {
    let silent = PeerAnswer::Text {
        text: "hello".to_owned(),
        usage: None,
    };
    let provider = peer.provider(vec![silent]).await;
    let answer = chat(&*provider, "an answer without usage is an answer").await;
    same(
        &answer.usage,
        &None,
        "usage that the far side does not tell is unknown, not zero",
    );
}

async fn tool_calls_come_whole_and_in_their_order(peer: &dyn ProviderPeer) {
    let calls = vec![
        (
            tool("look"),
            json!({"where": "here \"and\" there", "deep": [1, {"a": null}]}),
        ),
        (tool("find"), json!({})),
        (tool("look"), json!({"where": "\u{1F389}"})),
    ];
    let provider = peer.provider(vec![PeerAnswer::ToolCalls(calls.clone())]).await;
    let answer = chat(&*provider, "an answer of tool calls is an answer").await;
    let found: Vec<_> = answer
        .message
        .tool_calls()
        .map(|call| (call.name.clone(), call.arguments.clone()))
        .collect();
    same(&found, &calls, "tool calls come whole and in their order");
    let ids: BTreeSet<_> = answer
        .message
        .tool_calls()
        .map(|call| call.id.to_string())
        .collect();
    same(
        &ids.len(),
        &calls.len(),
        "each call has an id of its own, also of one tool",
    );
    same(
        &answer.finish,
        &FinishReason::ToolCalls,
        "the model waits for results",
    );
}

async fn an_answer_that_breaks_off_is_no_answer(peer: &dyn ProviderPeer) {
    let breaks = PeerAnswer::BreaksOff {
        text: "half of".to_owned(),
    };
    let provider = peer.provider(vec![breaks.clone(), breaks]).await;
    let mut events = stream(&*provider, "a call can be made").await;
    while let Some(event) = events.next().await {
        assert!(
            !matches!(event, Ok(ChatEvent::Done { .. })),
            "an answer that broke off is never done"
        );
    }
    match provider.chat(request()).await {
        Ok(answer) => panic!("an answer that broke off is an error, but it gave {answer:?}"),
        Err(error) => assert!(
            error.retry() != Retry::Never,
            "an answer that broke off may be asked for again"
        ),
    }
}

async fn a_refused_key_is_said_after_one_attempt(peer: &dyn ProviderPeer) {
    let before = peer.calls();
    let provider = peer.provider(vec![PeerAnswer::RefusesKey]).await;
    let error = error_of(&*provider, "a refused key is an error").await;
    same(&error.kind(), &"authentication", "a refused key is told as such");
    same(
        &error.retry(),
        &Retry::Never,
        "with a refused key a repetition is senseless",
    );
    same(
        &(peer.calls() - before),
        &1,
        "a provider makes one attempt per call",
    );
}

async fn a_request_to_slow_down_says_for_how_long(peer: &dyn ProviderPeer) {
    let before = peer.calls();
    let after = Duration::from_secs(7);
    let provider = peer.provider(vec![PeerAnswer::SlowDown { after }]).await;
    let error = error_of(&*provider, "a request to slow down is an error").await;
    same(
        &error.retry(),
        &Retry::After(after),
        "the time that the far side asks for is handed on",
    );
    same(
        &(peer.calls() - before),
        &1,
        "a provider does not repeat by itself",
    );
}

async fn dropping_the_stream_ends_the_call(peer: &dyn ProviderPeer) {
    let hangs = PeerAnswer::Hangs {
        text: "one moment".to_owned(),
    };
    let before = peer.hang_ups();
    let provider = peer.provider(vec![hangs]).await;
    let mut events = stream(&*provider, "a call can be made").await;
    let first = tokio::time::timeout(DEADLINE, events.next()).await;
    assert!(
        matches!(first, Ok(Some(Ok(_)))),
        "what was said so far is handed on before the answer is whole, but it was {first:?}"
    );
    drop(events);
    let noticed = async {
        while peer.hang_ups() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(DEADLINE, noticed).await.is_ok(),
        "dropping the stream ends the call, but the far side was still connected after {DEADLINE:?}"
    );
}

async fn calls_at_the_same_time_are_apart(peer: &dyn ProviderPeer) {
    let provider = peer.provider(vec![said("first"), said("second")]).await;
    let (one, other) = join(
        chat(&*provider, "calls may be made at the same time"),
        chat(&*provider, "calls may be made at the same time"),
    )
    .await;
    let texts = BTreeSet::from([one.message.text(), other.message.text()]);
    same(
        &texts,
        &BTreeSet::from(["first".to_owned(), "second".to_owned()]),
        "calls at the same time get an answer each",
    );
}
