//! Keeping a conversation inside a model's window, the same way on both sides of the gateway.

use super::{Message, Part, Role};
use crate::ids::CallId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Cut the tool output of all messages before `before` down to `keep` bytes each.
///
/// The runner decides it and sends it with a turn; the gateway, which holds the messages, applies it. Nothing stored
/// is changed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shorten {
    /// Index of the first message of the run that stays whole.
    pub before: u32,
    /// Bytes that are kept of each tool result before it.
    pub keep: u32,
}

/// Applies a [`Shorten`] and says how many bytes it removed. Applying it twice changes nothing more.
pub fn shorten_tool_output(messages: &mut [Message], rule: Shorten) -> usize {
    let keep = rule.keep as usize;
    let mut removed = 0;
    for message in messages.iter_mut().take(rule.before as usize) {
        for part in &mut message.parts {
            if let Part::ToolResult(result) = part
                && let Some(short) = shortened(&result.content, keep)
            {
                removed += result.content.len() - short.len();
                result.content = short;
            }
        }
    }
    removed
}

/// `None` when cutting would not make it shorter.
fn shortened(text: &str, keep: usize) -> Option<String> {
    if text.len() <= keep {
        return None;
    }
    let end = (0..=keep).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let short = format!(
        "{}\n[older output shortened from {} bytes]",
        text.get(..end)?,
        text.len()
    );
    // A text that already ends in our own note is left alone, so that a repetition changes nothing.
    let again = text
        .rsplit_once('\n')
        .is_some_and(|(_, last)| last.starts_with("[older output shortened from "));
    (!again && short.len() < text.len()).then_some(short)
}

/// The longest part of a stored conversation that every provider accepts: it starts with a user's message, each tool
/// call has its result, and no result is without its call.
///
/// A run that was killed leaves calls without results at its end; they are taken out, the words around them stay.
pub fn well_formed(messages: Vec<Message>) -> Vec<Message> {
    let last_results = last_results(&messages);
    let mut seen = BTreeSet::new();
    let mut open = BTreeSet::new();
    let mut kept = Vec::with_capacity(messages.len());
    for (at, mut message) in messages.into_iter().enumerate() {
        if kept.is_empty() && message.role == Role::Assistant {
            // Its calls go with it, so that their results find no call either.
            continue;
        }
        let mut index = 0;
        message.parts.retain(|part| {
            index += 1;
            match part {
                Part::ToolCall(call) => {
                    let answered = last_results
                        .get(&call.id)
                        .is_some_and(|result| *result > (at, index));
                    answered && seen.insert(call.id.clone()) && open.insert(call.id.clone())
                }
                Part::ToolResult(result) => open.remove(&result.id),
                Part::Text { .. } | Part::Thinking(_) => true,
            }
        });
        if message
            .parts
            .iter()
            .any(|part| !matches!(part, Part::Thinking(_)))
        {
            kept.push(message);
        }
    }
    kept
}

/// Where the last result of each call stands: its message, counted from 0, and its part, counted from 1.
fn last_results(messages: &[Message]) -> BTreeMap<CallId, (usize, usize)> {
    let mut last = BTreeMap::new();
    for (at, message) in messages.iter().enumerate() {
        for (part, index) in message.parts.iter().zip(1..) {
            if let Part::ToolResult(result) = part {
                last.insert(result.id.clone(), (at, index));
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ToolCall, ToolResult};
    use crate::ids::{CallId, ToolName};

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: CallId::new(id).unwrap(),
            name: ToolName::new("t").unwrap(),
            arguments: serde_json::json!({}),
        })
    }

    fn result(id: &str, content: &str) -> ToolResult {
        ToolResult {
            id: CallId::new(id).unwrap(),
            content: content.to_owned(),
            is_error: false,
        }
    }

    #[test]
    fn old_output_is_shortened_once_and_new_output_never() {
        let long = "ä".repeat(200);
        let mut messages = vec![
            Message::tool_results(vec![result("a", &long)]),
            Message::tool_results(vec![result("b", &long)]),
        ];
        let rule = Shorten { before: 1, keep: 33 };
        assert!(shorten_tool_output(&mut messages, rule) > 0);
        let once = messages.clone();
        assert_eq!(shorten_tool_output(&mut messages, rule), 0);
        assert_eq!(messages, once);
        assert_eq!(messages[1].results().next().unwrap().content, long);
        assert!(
            messages[0]
                .results()
                .next()
                .unwrap()
                .content
                .starts_with(&"ä".repeat(16))
        );
    }

    #[test]
    fn a_killed_runs_open_calls_are_taken_out() {
        let assistant = |parts| Message {
            role: Role::Assistant,
            parts,
        };
        let messages = vec![
            assistant(vec![Part::Text {
                text: "orphan".into(),
            }]),
            Message::user("go"),
            assistant(vec![call("a"), call("b")]),
            Message::tool_results(vec![result("a", "1"), result("b", "2"), result("z", "3")]),
            assistant(vec![Part::Text { text: "next".into() }, call("c")]),
        ];
        let kept = well_formed(messages);
        assert_eq!(kept.len(), 4);
        assert_eq!(kept[0], Message::user("go"));
        assert_eq!(kept[2].results().count(), 2);
        assert_eq!(kept[3], Message::assistant("next"));
    }

    #[test]
    fn results_without_an_open_call_before_them_are_taken_out() {
        let assistant = |parts| Message {
            role: Role::Assistant,
            parts,
        };
        let dropped_with_its_call = vec![
            assistant(vec![call("a")]),
            Message::tool_results(vec![result("a", "1")]),
        ];
        assert_eq!(well_formed(dropped_with_its_call), []);
        let result_first = vec![
            Message {
                role: Role::User,
                parts: vec![
                    Part::Text { text: "go".into() },
                    Part::ToolResult(result("a", "1")),
                ],
            },
            assistant(vec![call("a")]),
        ];
        assert_eq!(well_formed(result_first), [Message::user("go")]);
        let twice = vec![
            Message::user("go"),
            assistant(vec![call("a")]),
            Message::tool_results(vec![result("a", "1"), result("a", "2")]),
        ];
        assert_eq!(
            well_formed(twice)[2],
            Message::tool_results(vec![result("a", "1")])
        );
    }
}
