//! Whether a conversation is where a script thinks it is. Pure.

use super::scenario::Expectation;
use sympozium_core::chat::{Message, Part};
use sympozium_core::ids::{CallId, ToolName};

/// Characters of a message that an error shows.
const SHOWN: usize = 200;

/// `Ok`, or what was expected and what there is instead, as a phrase.
pub(super) fn check(expectation: &Expectation, messages: &[Message]) -> Result<(), String> {
    let Some(last) = messages.last() else {
        return Err("expects a message, but there is none".to_owned());
    };
    let (subject, content) = match &expectation.tool_result_of {
        Some(tool) => (format!("the result of {tool}"), result_of(tool, last, messages)?),
        None => ("the last message".to_owned(), all(last)),
    };
    match expectation
        .contains
        .0
        .iter()
        .find(|text| !content.contains(*text))
    {
        None => Ok(()),
        Some(missing) => Err(format!(
            "expects {subject} to contain {missing:?}, but it is {:?}",
            cut(&content)
        )),
    }
}

fn result_of(tool: &ToolName, last: &Message, messages: &[Message]) -> Result<String, String> {
    let is_of_tool = |id: &CallId| called(id, messages) == Some(tool);
    let contents: Vec<_> = last
        .results()
        .filter(|result| is_of_tool(&result.id))
        .map(|result| result.content.as_str())
        .collect();
    if !contents.is_empty() {
        return Ok(contents.join("\n"));
    }
    let there: Vec<_> = last
        .results()
        .filter_map(|result| called(&result.id, messages))
        .map(ToolName::as_str)
        .collect();
    let there = if there.is_empty() {
        "no tool".to_owned()
    } else {
        there.join(", ")
    };
    Err(format!(
        "expects a result of {tool}, but the last message has results of {there}"
    ))
}

fn called<'a>(id: &CallId, messages: &'a [Message]) -> Option<&'a ToolName> {
    let mut calls = messages.iter().rev().flat_map(Message::tool_calls);
    calls.find(|call| call.id == *id).map(|call| &call.name)
}

fn all(message: &Message) -> String {
    let texts: Vec<_> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            Part::ToolResult(result) => Some(result.content.as_str()),
            Part::Thinking(_) | Part::ToolCall(_) => None,
        })
        .collect();
    texts.join("\n")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
