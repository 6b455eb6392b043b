//! A streamed answer as `chat.completion.chunk`s. Pure.

use super::super::meter;
use super::answer::{Identity, finish_reason, id, usage};
use super::error::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use sympozium_core::chat::{ChatEvent, FinishReason, Usage};
use sympozium_core::gateway::GatewayEvent;

/// The data of the event that ends a stream.
const END: &str = "[DONE]";

/// Turns events into the data of server-sent events.
#[derive(Debug)]
pub(super) struct Chunks {
    identity: Identity,
    with_usage: bool,
    begun: bool,
    /// A call's place among the calls, by its part's place in the message.
    calls: BTreeMap<u32, usize>,
}

impl Chunks {
    /// `with_usage`: the client asked for a last chunk that has the usage.
    pub(super) fn new(identity: Identity, with_usage: bool) -> Self {
        Self {
            identity,
            with_usage,
            begun: false,
            calls: BTreeMap::new(),
        }
    }

    /// What `event` means for the client: nothing, or one or several events.
    pub(super) fn next(&mut self, event: &GatewayEvent) -> Vec<String> {
        match event {
            GatewayEvent::Chat(event) => self.chat(event),
            // Nothing was passed on yet, so nothing is void.
            GatewayEvent::Retry(_) => vec![],
            GatewayEvent::Problem(problem) => {
                meter::problem(problem.kind);
                vec![Refusal::from(problem.clone()).body().to_string()]
            }
        }
    }

    fn chat(&mut self, event: &ChatEvent) -> Vec<String> {
        let delta = match event {
            ChatEvent::TextDelta { text, .. } => json!({"content": text}),
            ChatEvent::ToolCallStart { index, id, name } => {
                let place = self.calls.len();
                let place = *self.calls.entry(*index).or_insert(place);
                let function = json!({"name": name, "arguments": ""});
                json!({"tool_calls": [{"index": place, "id": id, "type": "function", "function": function}]})
            }
            ChatEvent::ToolCallDelta { index, arguments } => match self.calls.get(index) {
                Some(place) => {
                    json!({"tool_calls": [{"index": place, "function": {"arguments": arguments}}]})
                }
                None => return vec![],
            },
            ChatEvent::Done { finish, usage, model } => return self.end(*finish, *usage, model.as_deref()),
            // OpenAI has no place for thoughts, and pieces of a newer kind have none here.
            ChatEvent::ThinkingDelta { .. } | _ => return vec![],
        };
        let mut chunks = self.begin();
        chunks.push(self.chunk(&delta, None));
        chunks
    }

    /// The first chunk says who speaks.
    fn begin(&mut self) -> Vec<String> {
        if std::mem::replace(&mut self.begun, true) {
            return vec![];
        }
        vec![self.chunk(&json!({"role": "assistant", "content": ""}), None)]
    }

    fn end(&mut self, finish: FinishReason, used: Option<Usage>, model: Option<&str>) -> Vec<String> {
        let mut chunks = self.begin();
        if let Some(model) = model {
            model.clone_into(&mut self.identity.model);
        }
        chunks.push(self.chunk(&json!({}), Some(finish)));
        if self.with_usage {
            chunks.push(self.envelope(&json!([]), &usage(used)));
        }
        chunks.push(END.to_owned());
        chunks
    }

    fn chunk(&self, delta: &Value, finish: Option<FinishReason>) -> String {
        let finish = finish.map(finish_reason);
        let choice = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        self.envelope(&choice, &Value::Null)
    }

    fn envelope(&self, choices: &Value, usage: &Value) -> String {
        let mut chunk = json!({
            "id": id(&self.identity),
            "object": "chat.completion.chunk",
            "created": self.identity.created,
            "model": self.identity.model,
            "choices": choices,
        });
        if let (true, Value::Object(chunk)) = (self.with_usage, &mut chunk) {
            chunk.insert("usage".to_owned(), usage.clone());
        }
        chunk.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::gateway::{Problem, ProblemKind, RetryNotice};

    fn play(with_usage: bool, events: &[GatewayEvent]) -> Vec<Value> {
        let identity = Identity {
            id: uuid::Uuid::nil(),
            created: 0,
            model: "m".to_owned(),
        };
        let mut chunks = Chunks::new(identity, with_usage);
        let said: Vec<_> = events.iter().flat_map(|event| chunks.next(event)).collect();
        said.iter()
            .map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data)))
            .collect()
    }

    fn start(index: u32, id: &str) -> GatewayEvent {
        let (id, name) = (id.parse().unwrap(), "t".parse().unwrap());
        GatewayEvent::Chat(ChatEvent::ToolCallStart { index, id, name })
    }

    fn arguments(index: u32, text: &str) -> GatewayEvent {
        GatewayEvent::Chat(ChatEvent::ToolCallDelta {
            index,
            arguments: text.to_owned(),
        })
    }

    fn done(usage: Option<Usage>) -> GatewayEvent {
        GatewayEvent::Chat(ChatEvent::Done {
            finish: FinishReason::ToolCalls,
            usage,
            model: None,
        })
    }

    #[test]
    fn interleaved_calls_keep_their_places() {
        let text = GatewayEvent::Chat(ChatEvent::TextDelta {
            index: 0,
            text: "hi".to_owned(),
        });
        let events = vec![
            text,
            start(3, "a"),
            start(5, "b"),
            arguments(5, "{"),
            arguments(3, "{}"),
            done(None),
        ];
        let deltas: Vec<_> = play(false, &events)
            .iter()
            .map(|chunk| {
                chunk
                    .get("choices")
                    .map_or(chunk.clone(), |choices| choices[0]["delta"].clone())
            })
            .collect();
        let call = |place: u8, id: &str| json!({"tool_calls": [{"index": place, "id": id, "type": "function", "function": {"name": "t", "arguments": ""}}]});
        let more = |place: u8, text: &str| json!({"tool_calls": [{"index": place, "function": {"arguments": text}}]});
        let expected = [
            json!({"role": "assistant", "content": ""}),
            json!({"content": "hi"}),
            call(0, "a"),
            call(1, "b"),
            more(1, "{"),
            more(0, "{}"),
            json!({}),
            json!("[DONE]"),
        ];
        assert_eq!(deltas, expected);
    }

    #[test]
    fn usage_comes_last_and_only_when_asked_for() {
        let used = Some(Usage {
            input_tokens: 2,
            output_tokens: 1,
            ..Usage::default()
        });
        let with = play(true, &[done(used)]);
        assert_eq!(with.len(), 4);
        assert_eq!(with[1]["usage"], Value::Null);
        assert_eq!(
            (&with[2]["choices"], &with[2]["usage"]["total_tokens"]),
            (&json!([]), &json!(3))
        );
        let without = play(false, &[done(used)]);
        assert!(without.len() == 3 && without[1].get("usage").is_none());
    }

    #[test]
    fn a_retry_is_silent_and_a_problem_ends_the_stream_without_its_end_mark() {
        let retry = GatewayEvent::Retry(RetryNotice {
            attempt: 1,
            after_ms: 0,
            detail: String::new(),
        });
        let problem = GatewayEvent::Problem(Problem::new(ProblemKind::ProviderUnavailable, "gone"));
        let said = play(false, &[retry, problem]);
        assert_eq!(said.len(), 1);
        assert_eq!(said[0]["error"]["message"], "gone");
    }
}
