//! A streamed answer, piece by piece, and how the pieces become a message again.

use super::{ChatResponse, Message, Part, Role, Thinking, ToolCall};
use crate::ids::{CallId, ToolName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Tokens used by one model call. `input_tokens` counts all input, cached or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All input tokens, those read from and written to a cache included.
    pub input_tokens: u64,
    /// All output tokens, reasoning included.
    pub output_tokens: u64,
    /// Of the input: read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Of the input: written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Of the output: reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Input plus output.
    pub const fn total(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cache_read_tokens = self.cache_read_tokens.saturating_add(other.cache_read_tokens);
        self.cache_write_tokens = self.cache_write_tokens.saturating_add(other.cache_write_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
    }
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done, or met a stop sequence.
    Stop,
    /// It waits for tool results.
    ToolCalls,
    /// The output limit cut it off.
    Length,
    /// The provider withheld the answer.
    ContentFilter,
}

/// A piece of a streamed answer. `index` is the part's place in the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChatEvent {
    /// More text of part `index`.
    TextDelta {
        /// The part.
        index: u32,
        /// What to append.
        text: String,
    },
    /// More reasoning of part `index`.
    ThinkingDelta {
        /// The part.
        index: u32,
        /// What to append to the shown text.
        #[serde(default)]
        text: String,
        /// What to append to the seal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// What to append to the encrypted form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redacted: Option<String>,
    },
    /// Part `index` is a tool call; its arguments follow.
    ToolCallStart {
        /// The part.
        index: u32,
        /// The model's id for the call.
        id: CallId,
        /// The tool.
        name: ToolName,
    },
    /// More of the arguments' JSON text of part `index`.
    ToolCallDelta {
        /// The part.
        index: u32,
        /// What to append.
        arguments: String,
    },
    /// The answer is complete. Always the last event of a successful stream.
    Done {
        /// Why the model stopped.
        finish: FinishReason,
        /// What it used; `None` when the provider did not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// The model that answered, in the provider's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
}

#[derive(Debug)]
enum Partial {
    Text(String),
    Thinking(Thinking),
    Call {
        id: CallId,
        name: ToolName,
        json: String,
    },
}

/// Builds a [`ChatResponse`] from events.
///
/// Pieces may arrive in any interleaving of parts. A delta for a part of another kind is ignored: a provider that
/// sends one has broken its own protocol, and what was understood is kept.
#[derive(Debug, Default)]
pub struct Accumulator {
    parts: BTreeMap<u32, Partial>,
    done: Option<(FinishReason, Option<Usage>, Option<String>)>,
}

impl Accumulator {
    /// Takes one event.
    pub fn push(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::TextDelta { index, text } => {
                if let Partial::Text(all) = self
                    .parts
                    .entry(*index)
                    .or_insert_with(|| Partial::Text(String::new()))
                {
                    all.push_str(text);
                }
            }
            ChatEvent::ThinkingDelta {
                index,
                text,
                signature,
                redacted,
            } => {
                let part = self
                    .parts
                    .entry(*index)
                    .or_insert_with(|| Partial::Thinking(Thinking::default()));
                if let Partial::Thinking(all) = part {
                    all.text.push_str(text);
                    append(&mut all.signature, signature.as_deref());
                    append(&mut all.redacted, redacted.as_deref());
                }
            }
            ChatEvent::ToolCallStart { index, id, name } => {
                self.parts.entry(*index).or_insert_with(|| Partial::Call {
                    id: id.clone(),
                    name: name.clone(),
                    json: String::new(),
                });
            }
            ChatEvent::ToolCallDelta { index, arguments } => {
                if let Some(Partial::Call { json, .. }) = self.parts.get_mut(index) {
                    json.push_str(arguments);
                }
            }
            ChatEvent::Done { finish, usage, model } => self.done = Some((*finish, *usage, model.clone())),
        }
    }

    /// True once [`ChatEvent::Done`] came.
    pub fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// The text so far (for showing, or for a stream that broke).
    pub fn text(&self) -> String {
        self.parts
            .values()
            .filter_map(|p| {
                if let Partial::Text(text) = p {
                    Some(text.as_str())
                } else {
                    None
                }
            })
            .collect()
    }

    /// The finished answer; `None` when the stream ended before [`ChatEvent::Done`].
    pub fn finish(self) -> Option<ChatResponse> {
        let (finish, usage, model) = self.done?;
        let parts = self.parts.into_values().map(whole).collect();
        Some(ChatResponse {
            message: Message {
                role: Role::Assistant,
                parts,
            },
            finish,
            usage,
            model,
        })
    }
}

fn append(all: &mut Option<String>, more: Option<&str>) {
    if let Some(more) = more {
        all.get_or_insert_default().push_str(more);
    }
}

fn whole(part: Partial) -> Part {
    match part {
        Partial::Text(text) => Part::Text { text },
        Partial::Thinking(thinking) => Part::Thinking(thinking),
        Partial::Call { id, name, json } => Part::ToolCall(ToolCall {
            id,
            name,
            arguments: parse_arguments(json),
        }),
    }
}

/// The arguments of a call: an object, or the raw text as a JSON string when it is no object.
fn parse_arguments(json: String) -> Value {
    if json.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    match serde_json::from_str::<Value>(&json) {
        Ok(value @ Value::Object(_)) => value,
        _ => Value::String(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_parts_become_one_message() {
        let call = |index| ChatEvent::ToolCallStart {
            index,
            id: CallId::new(format!("c{index}")).unwrap(),
            name: ToolName::new("read_file").unwrap(),
        };
        let mut acc = Accumulator::default();
        for event in [
            ChatEvent::TextDelta {
                index: 0,
                text: "a".into(),
            },
            call(1),
            call(2),
            ChatEvent::ToolCallDelta {
                index: 2,
                arguments: "{\"path\":".into(),
            },
            ChatEvent::ToolCallDelta {
                index: 1,
                arguments: "not json".into(),
            },
            ChatEvent::ToolCallDelta {
                index: 2,
                arguments: "\"x\"}".into(),
            },
            ChatEvent::TextDelta {
                index: 0,
                text: "b".into(),
            },
        ] {
            acc.push(&event);
        }
        assert!(!acc.is_done());
        acc.push(&ChatEvent::Done {
            finish: FinishReason::ToolCalls,
            usage: None,
            model: None,
        });
        let message = acc.finish().unwrap().message;
        assert_eq!(message.text(), "ab");
        let arguments: Vec<_> = message.tool_calls().map(|c| c.arguments.clone()).collect();
        assert_eq!(
            arguments,
            [Value::String("not json".into()), serde_json::json!({"path": "x"})]
        );
    }

    #[test]
    fn a_stream_without_done_is_no_answer() {
        let mut acc = Accumulator::default();
        acc.push(&ChatEvent::TextDelta {
            index: 0,
            text: "half".into(),
        });
        assert_eq!(acc.text(), "half");
        assert!(acc.finish().is_none());
    }
}
