//! Both wire formats under the suite that every provider has to pass.

use super::{Act, Peer, STREAM, answer};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use sympozium_core::chat::Usage;
use sympozium_core::llm::LlmProvider;
use sympozium_core::testing::{self, PeerAnswer, ProviderPeer};

/// How one format says things.
trait Format: Send + Sync {
    fn name(&self) -> &'static str;
    /// The events of a text, without what ends the answer.
    fn text(&self, text: &str, usage: Option<Usage>) -> String;
    /// The events of tool calls, without what ends the answer.
    fn calls(&self, calls: &[(String, String)]) -> String;
    /// What ends an answer.
    fn end(&self, calls: bool, usage: Option<Usage>) -> String;
}

struct OpenAi;

impl OpenAi {
    fn delta(delta: &Value, finish: Option<&str>) -> String {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
    }
}

impl Format for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn text(&self, text: &str, _: Option<Usage>) -> String {
        Self::delta(&json!({"role": "assistant", "content": text}), None)
    }

    fn calls(&self, calls: &[(String, String)]) -> String {
        let mut events = String::new();
        for (index, (name, arguments)) in calls.iter().enumerate() {
            let id = format!("call_{index}");
            let start = json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
            events += &Self::delta(&json!({"tool_calls": [start]}), None);
            let rest = json!({"index": index, "function": {"arguments": arguments}});
            events += &Self::delta(&json!({"tool_calls": [rest]}), None);
        }
        events
    }

    fn end(&self, calls: bool, usage: Option<Usage>) -> String {
        let finish = if calls { "tool_calls" } else { "stop" };
        let mut events = Self::delta(&json!({}), Some(finish));
        if let Some(usage) = usage {
            let usage =
                json!({"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens});
            write!(
                events,
                "data: {}\n\n",
                json!({"id": "c", "choices": [], "usage": usage})
            )
            .unwrap();
        }
        events + "data: [DONE]\n\n"
    }
}

struct Anthropic;

impl Anthropic {
    fn event(value: &Value) -> String {
        format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap())
    }

    fn start(usage: Option<Usage>) -> String {
        let mut message = json!({"id": "m", "model": "m-1"});
        if let Some(usage) = usage {
            message["usage"] = json!({"input_tokens": usage.input_tokens, "output_tokens": 1});
        }
        Self::event(&json!({"type": "message_start", "message": message}))
    }

    fn block(index: usize, block: &Value, delta: &Value) -> String {
        [
            json!({"type": "content_block_start", "index": index, "content_block": block}),
            json!({"type": "content_block_delta", "index": index, "delta": delta}),
            json!({"type": "content_block_stop", "index": index}),
        ]
        .iter()
        .map(Self::event)
        .collect()
    }
}

impl Format for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn text(&self, text: &str, usage: Option<Usage>) -> String {
        let block = json!({"type": "text", "text": ""});
        Self::start(usage) + &Self::block(0, &block, &json!({"type": "text_delta", "text": text}))
    }

    fn calls(&self, calls: &[(String, String)]) -> String {
        let blocks = calls.iter().enumerate().map(|(index, (name, arguments))| {
            let id = format!("toolu_{index}");
            let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
            let delta = json!({"type": "input_json_delta", "partial_json": arguments});
            Self::block(index, &block, &delta)
        });
        Self::start(None) + &blocks.collect::<String>()
    }

    fn end(&self, calls: bool, usage: Option<Usage>) -> String {
        let reason = if calls { "tool_use" } else { "end_turn" };
        let mut delta = json!({"type": "message_delta", "delta": {"stop_reason": reason}});
        if let Some(usage) = usage {
            delta["usage"] = json!({"output_tokens": usage.output_tokens});
        }
        Self::event(&delta) + &Self::event(&json!({"type": "message_stop"}))
    }
}

fn act(format: &dyn Format, given: PeerAnswer) -> Act {
    let stream = |events: String| format!("{STREAM}{events}").into_bytes();
    let error = json!({"type": "error", "error": {"type": "e", "message": "no"}}).to_string();
    match given {
        PeerAnswer::Text { text, usage } => {
            Act::Send(stream(format.text(&text, usage) + &format.end(false, usage)))
        }
        PeerAnswer::ToolCalls(calls) => {
            let calls: Vec<_> = calls
                .into_iter()
                .map(|(name, arguments)| (name.to_string(), arguments.to_string()))
                .collect();
            Act::Send(stream(format.calls(&calls) + &format.end(true, None)))
        }
        PeerAnswer::BreaksOff { text } => Act::Reset(stream(format.text(&text, None))),
        PeerAnswer::Hangs { text } => Act::Hang(stream(format.text(&text, None))),
        PeerAnswer::RefusesKey => Act::Send(answer(401, "", &error)),
        PeerAnswer::SlowDown { after } => {
            let wait = format!("retry-after: {}\r\n", after.as_secs());
            Act::Send(answer(429, &wait, &error))
        }
    }
}

/// A server for each provider, and all of them to count over.
struct Servers {
    format: &'static dyn Format,
    started: Mutex<Vec<Peer>>,
}

#[async_trait]
impl ProviderPeer for Servers {
    async fn provider(&self, answers: Vec<PeerAnswer>) -> Arc<dyn LlmProvider> {
        let acts: Vec<_> = answers.into_iter().map(|given| act(self.format, given)).collect();
        let peer = Peer::playing(acts).await;
        let provider = peer.provider(self.format.name(), "/v1");
        self.started.lock().unwrap().push(peer);
        provider
    }

    fn calls(&self) -> usize {
        let started = self.started.lock().unwrap();
        started.iter().map(|peer| peer.requests().len()).sum()
    }

    fn hang_ups(&self) -> usize {
        let started = self.started.lock().unwrap();
        started.iter().map(|peer| *peer.gone.borrow()).sum()
    }
}

async fn keeps_the_contract(format: &'static dyn Format) {
    let started = Mutex::default();
    testing::llm_provider(&Servers { format, started }).await;
}

#[tokio::test]
async fn chat_completions_keep_the_contract_of_providers() {
    keeps_the_contract(&OpenAi).await;
}

#[tokio::test]
async fn messages_keep_the_contract_of_providers() {
    keeps_the_contract(&Anthropic).await;
}
