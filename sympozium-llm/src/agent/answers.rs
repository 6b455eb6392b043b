//! What the loop itself says to the model: answers to calls that can't be made, warnings, the request for a last answer.
//!
//! Pure. Each text tells the model what to do next.

use serde_json::Value;
use std::collections::BTreeSet;
use sympozium_core::chat::{ToolCall, ToolResult};
use sympozium_core::ids::ToolName;
use sympozium_core::run::LimitHit;

/// Said to a model that ended its turn without a word.
pub(super) const NUDGE: &str =
    "Your last message was empty. Answer the task now with what you know, in words.";

/// What decides whether a call can be made at all.
pub(super) struct CallFacts<'a> {
    pub(super) offered: &'a BTreeSet<ToolName>,
    pub(super) refused: &'a BTreeSet<ToolName>,
    /// True when the time is nearly up.
    pub(super) no_time: bool,
}

/// The answer to a call that can't be made, known without running anything. `cut` = the output limit was reached in it.
pub(super) fn precheck(call: &ToolCall, facts: &CallFacts<'_>, cut: bool) -> Option<ToolResult> {
    let empty = call.arguments.as_object().is_some_and(serde_json::Map::is_empty);
    if cut && (empty || !call.arguments.is_object()) {
        return Some(refusal(
            call,
            "Not run: your answer reached the output limit before the arguments were complete. \
             Make the call again with less in it, or in several calls.",
        ));
    }
    if facts.no_time {
        return Some(refusal(call, "Not run: the time for this task is nearly up."));
    }
    if !facts.offered.contains(&call.name) && !facts.refused.contains(&call.name) {
        return Some(refusal(call, &unknown_tool(&call.name, facts.offered)));
    }
    match &call.arguments {
        Value::Object(_) => None,
        Value::String(text) => Some(refusal(call, &malformed(text))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Some(refusal(call, &malformed(&call.arguments.to_string())))
        }
    }
}

pub(super) fn refusal(call: &ToolCall, why: &str) -> ToolResult {
    ToolResult {
        id: call.id.clone(),
        content: why.to_owned(),
        is_error: true,
    }
}

fn unknown_tool(name: &ToolName, offered: &BTreeSet<ToolName>) -> String {
    if offered.is_empty() {
        return format!("There is no tool {name}; you have no tools. Answer in words.");
    }
    let names: Vec<&str> = offered.iter().map(ToolName::as_str).collect();
    format!("There is no tool {name}. The tools are: {}.", names.join(", "))
}

fn malformed(text: &str) -> String {
    let start: String = text.chars().take(200).collect();
    format!("Not run: the arguments are not a JSON object. They begin with: {start}")
}

pub(super) fn warning(times: u32) -> String {
    format!(
        "\n\n[You have made exactly these calls {times} times and got the same results each time. \
         Try something else, or answer with what you know.]"
    )
}

pub(super) const fn closing(limit: LimitHit) -> &'static str {
    match limit {
        LimitHit::Turns => {
            "No tool calls are left for this task. Answer now with what you know; say what is unfinished."
        }
        LimitHit::Loop => {
            "You keep making the same calls, so tools are switched off. Answer now with what you know; say what is unfinished."
        }
        LimitHit::Deadline => {
            "The time for this task is nearly up. Answer now with what you know; say what is unfinished."
        }
        LimitHit::Budget | LimitHit::Output => "Answer now with what you know; say what is unfinished.",
    }
}
