//! What was told and is not written yet. Pure: from events to chunks, within bounds.

use crate::agent::AgentEvent;
use serde_json::Value;
use std::collections::VecDeque;
use sympozium_core::ipc::{ChunkKind, StatusPhase, StatusUpdate, StreamChunk, ToolVerdict};

/// The most bytes of text in one chunk.
const MAX_PIECE: usize = 8 * 1024;
/// The most bytes of a tool's output or arguments in a chunk: enough to recognise it.
const MAX_SHOWN: usize = 2 * 1024;
/// The most chunks that are held back.
const MAX_CHUNKS: usize = 512;

/// Chunks that wait to be written, without their index, and the newest status.
#[derive(Debug, Default)]
pub(super) struct Pending {
    chunks: VecDeque<StreamChunk>,
    /// How many bytes of text were left out, because too much waited.
    lost: usize,
    status: Option<StatusUpdate>,
    shown: Option<StatusUpdate>,
}

impl Pending {
    /// Takes an event. True when it should be written at once.
    pub(super) fn take(&mut self, event: AgentEvent<'_>) -> bool {
        match event {
            AgentEvent::TurnStarted { is_last, .. } => {
                let message = if is_last {
                    "asking for the final answer"
                } else {
                    "asking the model"
                };
                self.status(StatusPhase::Thinking, message.to_owned(), None);
                true
            }
            AgentEvent::Thinking(text) => {
                self.text(ChunkKind::Thinking, text);
                false
            }
            AgentEvent::Text(text) => {
                self.status(StatusPhase::Responding, "answering".to_owned(), None);
                self.text(ChunkKind::Text, text);
                false
            }
            AgentEvent::Retry(notice) => {
                self.push(chunk(ChunkKind::Retry, &notice.detail));
                true
            }
            AgentEvent::TurnEnded { .. } => true,
            AgentEvent::AwaitingApproval { call, .. } => {
                let message = format!("waiting for a person to approve {}", call.name);
                self.status(StatusPhase::ToolUse, message, Some(call.id.to_string()));
                true
            }
            AgentEvent::ToolStarted { call } => {
                self.status(
                    StatusPhase::ToolUse,
                    call.name.to_string(),
                    Some(call.id.to_string()),
                );
                self.push(StreamChunk {
                    tool_id: Some(call.id.to_string()),
                    tool: Some(call.name.to_string()),
                    arguments: Some(shown_arguments(&call.arguments)),
                    ..chunk(ChunkKind::ToolUse, "")
                });
                true
            }
            AgentEvent::ToolFinished {
                call,
                result,
                verdict,
                took,
            } => {
                self.push(StreamChunk {
                    tool_id: Some(call.id.to_string()),
                    tool: Some(call.name.to_string()),
                    verdict: verdict.map(|verdict| ToolVerdict {
                        outcome: verdict.outcome,
                        policy: verdict.policy.to_string(),
                        rule: verdict.rule.clone(),
                    }),
                    duration_ms: u64::try_from(took.as_millis()).ok(),
                    is_error: result.is_error,
                    ..chunk(ChunkKind::ToolResult, &shortened(&result.content))
                });
                true
            }
        }
    }

    /// Says that an earlier process of this run has streamed already.
    pub(super) fn began_again(&mut self) {
        self.push(chunk(ChunkKind::Retry, "the agent was started again"));
    }

    /// The next chunk to write.
    pub(super) fn next(&mut self) -> Option<StreamChunk> {
        let mut next = self.chunks.pop_front()?;
        if self.lost > 0 && matches!(next.kind, ChunkKind::Text | ChunkKind::Thinking) {
            next.content = format!(
                "[… {} bytes of the stream are left out]\n{}",
                self.lost, next.content
            );
            self.lost = 0;
        }
        Some(next)
    }

    /// The newest status, if it was not written yet.
    pub(super) fn next_status(&mut self) -> Option<StatusUpdate> {
        let status = self
            .status
            .take()
            .filter(|status| self.shown.as_ref() != Some(status))?;
        self.shown = Some(status.clone());
        Some(status)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.status.is_none()
    }

    fn status(&mut self, phase: StatusPhase, message: String, tool_id: Option<String>) {
        self.status = Some(StatusUpdate {
            phase,
            message,
            tool_id,
        });
    }

    fn text(&mut self, kind: ChunkKind, text: &str) {
        match self.chunks.back_mut() {
            Some(last) if last.kind == kind && last.content.len() + text.len() <= MAX_PIECE => {
                last.content.push_str(text);
            }
            _ => {
                for piece in pieces(text) {
                    self.push(chunk(kind, piece));
                }
            }
        }
    }

    fn push(&mut self, chunk: StreamChunk) {
        self.chunks.push_back(chunk);
        while self.chunks.len() > MAX_CHUNKS {
            let text = |chunk: &StreamChunk| matches!(chunk.kind, ChunkKind::Text | ChunkKind::Thinking);
            let oldest = self.chunks.iter().position(text).unwrap_or(0);
            self.lost += self.chunks.remove(oldest).map_or(0, |chunk| chunk.content.len());
        }
    }
}

fn chunk(kind: ChunkKind, content: &str) -> StreamChunk {
    StreamChunk {
        kind,
        content: content.to_owned(),
        index: 0,
        tool_id: None,
        tool: None,
        arguments: None,
        verdict: None,
        duration_ms: None,
        is_error: false,
    }
}

/// A text in pieces of at most [`MAX_PIECE`] bytes, cut between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = text_end(rest, MAX_PIECE);
        let (piece, behind) = rest.split_at_checked(end)?;
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

fn text_end(text: &str, max: usize) -> usize {
    (0..=max.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0)
}

fn shortened(text: &str) -> String {
    let end = text_end(text, MAX_SHOWN);
    match text.get(..end) {
        Some(start) if end < text.len() => format!("{start}… [{} bytes in all]", text.len()),
        Some(_) | None => text.to_owned(),
    }
}

/// Arguments for display; long texts in them are shortened.
fn shown_arguments(arguments: &Value) -> Value {
    if arguments.to_string().len() <= MAX_SHOWN {
        return arguments.clone();
    }
    match arguments {
        Value::Object(map) => {
            let short = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::String(text) => Value::String(shortened(text)),
                    other => Value::String(shortened(&other.to_string())),
                };
                (shortened(name), value)
            };
            // Tools have few arguments; whoever makes up thousands is shown some of them.
            Value::Object(map.iter().take(16).map(short).collect())
        }
        other => Value::String(shortened(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kinds(pending: &mut Pending) -> Vec<(ChunkKind, String)> {
        std::iter::from_fn(|| pending.next().map(|chunk| (chunk.kind, chunk.content))).collect()
    }

    #[test]
    fn text_of_one_kind_is_put_together_and_order_is_kept() {
        let mut pending = Pending::default();
        for event in [
            AgentEvent::Thinking("h"),
            AgentEvent::Thinking("m"),
            AgentEvent::Text("a"),
            AgentEvent::Text("b"),
            AgentEvent::Thinking("?"),
        ] {
            assert!(!pending.take(event));
        }
        let expected = [
            (ChunkKind::Thinking, "hm".to_owned()),
            (ChunkKind::Text, "ab".to_owned()),
            (ChunkKind::Thinking, "?".to_owned()),
        ];
        assert_eq!(kinds(&mut pending), expected);
    }

    #[test]
    fn a_long_text_comes_in_pieces_between_characters() {
        let mut pending = Pending::default();
        let text = "ä".repeat(MAX_PIECE);
        pending.take(AgentEvent::Text(&text));
        let all = kinds(&mut pending);
        assert_eq!(all.len(), 2);
        assert_eq!(all.into_iter().map(|(_, text)| text).collect::<String>(), text);
    }

    #[test]
    fn what_nobody_reads_is_cut_and_said_to_be() {
        let mut pending = Pending::default();
        for n in 0..MAX_CHUNKS * 3 {
            let kind = if n % 2 == 0 {
                AgentEvent::Text("xy")
            } else {
                AgentEvent::Thinking("xy")
            };
            pending.take(kind);
        }
        pending.began_again();
        let all = kinds(&mut pending);
        assert_eq!(all.len(), MAX_CHUNKS);
        let lost = (MAX_CHUNKS * 2 + 1) * 2;
        assert_eq!(
            all[0].1,
            format!("[… {lost} bytes of the stream are left out]\nxy")
        );
        assert_eq!(all[MAX_CHUNKS - 1].0, ChunkKind::Retry);
    }

    #[test]
    fn a_status_is_shown_once() {
        let mut pending = Pending::default();
        pending.take(AgentEvent::Text("a"));
        assert_eq!(pending.next_status().unwrap().phase, StatusPhase::Responding);
        pending.take(AgentEvent::Text("b"));
        assert_eq!(pending.next_status(), None);
    }

    #[test]
    fn arguments_are_shown_whole_or_shortened() {
        let short = json!({"path": "a"});
        assert_eq!(shown_arguments(&short), short);
        let long = shown_arguments(&json!({"path": "a", "content": "x".repeat(100_000)}));
        assert_eq!(long["path"], json!("a"));
        assert!(
            long.to_string().len() < 3 * MAX_SHOWN,
            "{}",
            long.to_string().len()
        );
        let many: serde_json::Map<_, _> = (0..5000).map(|n| (n.to_string(), json!([n]))).collect();
        assert!(shown_arguments(&Value::Object(many)).to_string().len() < 3 * MAX_SHOWN);
    }
}
