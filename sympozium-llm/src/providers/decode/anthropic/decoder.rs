//! Events of an answer as chat events. Pure.

use super::wire::{Delta, Event, StartedBlock, WireUsage};
use crate::providers::decode::assembly::{Decode, ended_early, protocol};
use crate::providers::decode::made_up::{call_id, tool_name};
use crate::providers::decode::{Scrub, Words};
use crate::sse::SseEvent;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use sympozium_core::chat::{ChatEvent, FinishReason, Usage};
use sympozium_core::llm::LlmError;

/// The most blocks of one answer.
const MAX_BLOCKS: usize = 1024;

/// Reads one answer.
#[derive(Debug)]
pub(in crate::providers) struct Decoder {
    scrub: Scrub,
    blocks: BTreeMap<u32, Kind>,
    finish: Option<FinishReason>,
    usage: Option<WireUsage>,
    model: Option<String>,
    done: bool,
}

/// What a block is. Blocks of other kinds are not kept, and neither is what is said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
}

impl Decoder {
    pub(in crate::providers) fn new(scrub: Scrub) -> Self {
        Self {
            scrub,
            blocks: BTreeMap::new(),
            finish: None,
            usage: None,
            model: None,
            done: false,
        }
    }

    fn start_block(
        &mut self,
        index: u32,
        block: StartedBlock,
        ready: &mut VecDeque<ChatEvent>,
    ) -> Result<(), LlmError> {
        let kind = match block.kind.as_str() {
            "text" => Kind::Text,
            "thinking" | "redacted_thinking" => Kind::Thinking,
            "tool_use" => Kind::Call,
            // Blocks of a newer API.
            _ => return Ok(()),
        };
        if self.blocks.len() >= MAX_BLOCKS {
            return Err(wrong("the answer has more than 1024 blocks"));
        }
        if self.blocks.insert(index, kind).is_some() {
            return Err(wrong("a block begins twice"));
        }
        match kind {
            Kind::Text => push_text(index, block.text, ready),
            Kind::Thinking => push_thinking(index, block.thinking, block.signature, block.data, ready),
            Kind::Call => return start_call(index, &block, ready),
        }
        Ok(())
    }

    /// A delta counts for a block of its own kind alone.
    fn delta(&self, index: u32, delta: Delta, ready: &mut VecDeque<ChatEvent>) {
        match (self.blocks.get(&index), delta.kind.as_deref()) {
            (Some(Kind::Text), Some("text_delta")) => push_text(index, delta.text, ready),
            (Some(Kind::Thinking), Some("thinking_delta" | "signature_delta")) => {
                push_thinking(index, delta.thinking, delta.signature, None, ready);
            }
            (Some(Kind::Call), Some("input_json_delta")) => {
                if let Some(arguments) = delta.partial_json.filter(|json| !json.is_empty()) {
                    ready.push_back(ChatEvent::ToolCallDelta { index, arguments });
                }
            }
            // Of another kind, of a newer API, or of a block that never began.
            _ => {}
        }
    }

    fn count(&mut self, usage: Option<WireUsage>) {
        let Some(new) = usage else { return };
        let old = self.usage.unwrap_or_default();
        // Later numbers are whole counts, not additions.
        self.usage = Some(WireUsage {
            fresh: new.fresh.or(old.fresh),
            cache_written: new.cache_written.or(old.cache_written),
            cache_read: new.cache_read.or(old.cache_read),
            output: new.output.or(old.output),
        });
    }

    fn complete(&mut self, ready: &mut VecDeque<ChatEvent>) {
        let has_calls = self.blocks.values().any(|kind| *kind == Kind::Call);
        let told = if has_calls {
            FinishReason::ToolCalls
        } else {
            FinishReason::Stop
        };
        ready.push_back(ChatEvent::Done {
            finish: self.finish.unwrap_or(told),
            usage: self.usage.map(usage),
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
        let event: Event =
            serde_json::from_str(&event.data).map_err(|error| protocol(&self.scrub, &error))?;
        match event.kind.as_str() {
            "message_start" => {
                let message = event.message.unwrap_or_default();
                self.model = message.model.filter(|model| !model.is_empty());
                self.count(message.usage);
            }
            "content_block_start" => {
                if let (Some(index), Some(block)) = (event.index, event.content_block) {
                    self.start_block(index, block, ready)?;
                }
            }
            "content_block_delta" => {
                if let (Some(index), Some(delta)) = (event.index, event.delta) {
                    self.delta(index, delta, ready);
                }
            }
            "message_delta" => {
                let reason = event.delta.and_then(|delta| delta.stop_reason);
                self.finish = reason.and_then(|reason| finish(&reason)).or(self.finish);
                self.count(event.usage);
            }
            "message_stop" => self.complete(ready),
            "error" => {
                let error = event.error.unwrap_or_default();
                return Err(Words::of_value(&error, &self.scrub).within_stream());
            }
            // `ping`, `content_block_stop`, and events of a newer API.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError> {
        if self.done { Ok(()) } else { Err(ended_early()) }
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

fn wrong(detail: &str) -> LlmError {
    LlmError::Protocol {
        detail: detail.to_owned(),
    }
}

fn start_call(index: u32, block: &StartedBlock, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError> {
    let name = tool_name(block.name.as_deref().unwrap_or_default());
    let (Some(name), Some(id)) = (name, call_id(block.id.as_deref(), index)) else {
        return Err(wrong("a tool call begins without a name"));
    };
    ready.push_back(ChatEvent::ToolCallStart { index, id, name });
    // Some servers give the whole input here, and none later.
    if let Value::Object(input) = &block.input
        && !input.is_empty()
    {
        let arguments = block.input.to_string();
        ready.push_back(ChatEvent::ToolCallDelta { index, arguments });
    }
    Ok(())
}

fn push_text(index: u32, text: Option<String>, ready: &mut VecDeque<ChatEvent>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        ready.push_back(ChatEvent::TextDelta { index, text });
    }
}

fn push_thinking(
    index: u32,
    text: Option<String>,
    signature: Option<String>,
    redacted: Option<String>,
    ready: &mut VecDeque<ChatEvent>,
) {
    let text = text.unwrap_or_default();
    let signature = signature.filter(|signature| !signature.is_empty());
    let redacted = redacted.filter(|data| !data.is_empty());
    if !text.is_empty() || signature.is_some() || redacted.is_some() {
        ready.push_back(ChatEvent::ThinkingDelta {
            index,
            text,
            signature,
            redacted,
        });
    }
}

/// `None` for reasons of a newer API: the blocks then tell.
fn finish(reason: &str) -> Option<FinishReason> {
    match reason {
        "end_turn" | "stop_sequence" | "pause_turn" => Some(FinishReason::Stop),
        "tool_use" => Some(FinishReason::ToolCalls),
        "max_tokens" | "model_context_window_exceeded" => Some(FinishReason::Length),
        "refusal" => Some(FinishReason::ContentFilter),
        _ => None,
    }
}

fn usage(wire: WireUsage) -> Usage {
    let read = wire.cache_read.unwrap_or_default();
    let written = wire.cache_written.unwrap_or_default();
    let fresh = wire.fresh.unwrap_or_default();
    Usage {
        input_tokens: fresh.saturating_add(read).saturating_add(written),
        output_tokens: wire.output.unwrap_or_default(),
        cache_read_tokens: read,
        cache_write_tokens: written,
        reasoning_tokens: 0,
    }
}
