//! Chunks of an answer as chat events. Pure.

use super::wire::{CallDelta, Choice, Chunk, Delta, WireUsage};
use crate::providers::decode::assembly::{Decode, ended_early, protocol};
use crate::providers::decode::made_up::{call_id, tool_name};
use crate::providers::decode::{Scrub, Words};
use crate::sse::SseEvent;
use serde_json::Value;
use std::collections::VecDeque;
use sympozium_core::chat::{ChatEvent, FinishReason, Usage};
use sympozium_core::llm::LlmError;

/// The most tool calls of one answer, as with OpenAI.
const MAX_CALLS: usize = 128;

/// Reads one answer.
#[derive(Debug)]
pub(in crate::providers) struct Decoder {
    scrub: Scrub,
    parts: Parts,
    calls: Vec<OpenCall>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    model: Option<String>,
    done: bool,
}

/// Numbers for the parts of the message: text and reasoning get a new one whenever something else came between.
#[derive(Debug, Default)]
struct Parts {
    next: u32,
    open: Option<(Kind, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

impl Parts {
    fn of(&mut self, kind: Kind) -> u32 {
        match self.open {
            Some((open, index)) if open == kind => index,
            _ => {
                let index = self.call();
                self.open = Some((kind, index));
                index
            }
        }
    }

    fn call(&mut self) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        self.open = None;
        index
    }
}

#[derive(Debug)]
struct OpenCall {
    /// The server's number for it.
    key: Option<u32>,
    /// The server's id for it.
    id: Option<String>,
    /// Its place in the message.
    index: u32,
}

impl OpenCall {
    /// Whether more of this call arrives. Some servers number all calls 0 and tell them apart by id alone.
    fn is_meant(&self, delta: &CallDelta) -> bool {
        let id = delta.id.as_ref().filter(|id| !id.is_empty());
        self.key == delta.index && (id.is_none() || id == self.id.as_ref())
    }
}

impl Decoder {
    pub(in crate::providers) fn new(scrub: Scrub) -> Self {
        Self {
            scrub,
            parts: Parts::default(),
            calls: Vec::new(),
            finish: None,
            usage: None,
            model: None,
            done: false,
        }
    }

    fn choice(&mut self, choice: Choice, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError> {
        if let Some(delta) = choice.delta {
            self.delta(delta, ready)?;
        }
        if let Some(reason) = choice.finish_reason {
            self.finish = Some(finish(&reason));
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError> {
        let mut reasoning = words(&delta.reasoning_content);
        if reasoning.is_empty() {
            reasoning = words(&delta.reasoning);
        }
        if !reasoning.is_empty() {
            ready.push_back(ChatEvent::ThinkingDelta {
                index: self.parts.of(Kind::Thinking),
                text: reasoning,
                signature: None,
                redacted: None,
            });
        }
        for text in [words(&delta.content), words(&delta.refusal)] {
            if !text.is_empty() {
                let index = self.parts.of(Kind::Text);
                ready.push_back(ChatEvent::TextDelta { index, text });
            }
        }
        delta
            .tool_calls
            .unwrap_or_default()
            .into_iter()
            .try_for_each(|call| self.call(call, ready))
    }

    fn call(&mut self, delta: CallDelta, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError> {
        let known = self.calls.iter().rev().find(|call| call.is_meant(&delta));
        let function = delta.function.unwrap_or_default();
        let index = if let Some(call) = known {
            call.index
        } else {
            let name = function.name.as_deref().unwrap_or_default();
            self.open(delta.index, delta.id, name, ready)?
        };
        let arguments = match function.arguments {
            Value::Null => String::new(),
            Value::String(text) => text,
            whole => whole.to_string(),
        };
        if !arguments.is_empty() {
            ready.push_back(ChatEvent::ToolCallDelta { index, arguments });
        }
        Ok(())
    }

    fn open(
        &mut self,
        key: Option<u32>,
        id: Option<String>,
        name: &str,
        ready: &mut VecDeque<ChatEvent>,
    ) -> Result<u32, LlmError> {
        let wrong = |detail: &str| LlmError::Protocol {
            detail: detail.to_owned(),
        };
        if self.calls.len() >= MAX_CALLS {
            return Err(wrong("the answer has more than 128 tool calls"));
        }
        let index = self.parts.call();
        let id = id.filter(|id| !id.is_empty());
        let (Some(name), Some(call)) = (tool_name(name), call_id(id.as_deref(), index)) else {
            return Err(wrong("a tool call begins without a name"));
        };
        ready.push_back(ChatEvent::ToolCallStart {
            index,
            id: call,
            name,
        });
        self.calls.push(OpenCall { key, id, index });
        Ok(index)
    }

    fn complete(&mut self, ready: &mut VecDeque<ChatEvent>) {
        let finish = match self.finish {
            // Many servers say `stop` behind tool calls too.
            None | Some(FinishReason::Stop) if !self.calls.is_empty() => FinishReason::ToolCalls,
            None => FinishReason::Stop,
            Some(finish) => finish,
        };
        ready.push_back(ChatEvent::Done {
            finish,
            usage: self.usage,
            model: self.model.take(),
        });
        self.done = true;
    }
}

impl Decode for Decoder {
    fn take(&mut self, event: SseEvent, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError> {
        if self.done {
            return Ok(());
        }
        if event.data.trim() == "[DONE]" {
            self.complete(ready);
            return Ok(());
        }
        let chunk: Chunk =
            serde_json::from_str(&event.data).map_err(|error| protocol(&self.scrub, &error))?;
        if let Some(error) = chunk.error {
            return Err(Words::of_value(&error, &self.scrub).within_stream());
        }
        if event.name == "error" {
            return Err(Words::of_body(event.data.as_bytes(), &self.scrub).within_stream());
        }
        self.model = chunk
            .model
            .filter(|model| !model.is_empty())
            .or(self.model.take());
        self.usage = chunk.usage.map(usage).or(self.usage);
        // Only one answer was asked for.
        match chunk.choices.unwrap_or_default().into_iter().next() {
            Some(choice) => self.choice(choice, ready),
            None => Ok(()),
        }
    }

    fn end(&mut self, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError> {
        if self.done {
            return Ok(());
        }
        // Some servers leave the last line out, but all say why they stopped.
        if self.finish.is_some() {
            self.complete(ready);
            return Ok(());
        }
        Err(ended_early())
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

fn finish(reason: &str) -> FinishReason {
    match reason {
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        // `stop`, and whatever servers will think of.
        _ => FinishReason::Stop,
    }
}

fn usage(wire: WireUsage) -> Usage {
    let cached = wire
        .prompt_tokens_details
        .and_then(|details| details.cached_tokens);
    let reasoning = wire
        .completion_tokens_details
        .and_then(|details| details.reasoning_tokens);
    Usage {
        input_tokens: wire.prompt_tokens.unwrap_or_default(),
        output_tokens: wire.completion_tokens.unwrap_or_default(),
        cache_read_tokens: cached.unwrap_or_default(),
        cache_write_tokens: 0,
        reasoning_tokens: reasoning.unwrap_or_default(),
    }
}

/// The text of a string, or of a list of parts.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}
