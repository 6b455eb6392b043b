//! Messages and their parts.

use crate::ids::{CallId, ToolName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person or program that gave the task; tool results travel in this role too.
    User,
    /// The model.
    Assistant,
}

/// One message: a role and what it consists of, in order.
///
/// System prompts are not messages; they are [`ChatRequest::system`](super::ChatRequest::system).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// The parts, in order. May be empty (a model can end a turn without a word).
    pub parts: Vec<Part>,
}

impl Message {
    /// A user's message of one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            parts: vec![Part::Text { text: text.into() }],
        }
    }

    /// A model's message of one text.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            parts: vec![Part::Text { text: text.into() }],
        }
    }

    /// The answers to a turn's tool calls, in the order of the calls.
    pub fn tool_results(results: Vec<ToolResult>) -> Self {
        Self {
            role: Role::User,
            parts: results.into_iter().map(Part::ToolResult).collect(),
        }
    }

    /// All text parts, joined.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|p| {
                if let Part::Text { text } = p {
                    Some(text.as_str())
                } else {
                    None
                }
            })
            .collect()
    }

    /// The tool calls in it, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|p| {
            if let Part::ToolCall(call) = p {
                Some(call)
            } else {
                None
            }
        })
    }

    /// The tool results in it, in order.
    pub fn results(&self) -> impl Iterator<Item = &ToolResult> {
        self.parts.iter().filter_map(|p| {
            if let Part::ToolResult(result) = p {
                Some(result)
            } else {
                None
            }
        })
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Plain text.
    Text {
        /// The text.
        text: String,
    },
    /// What a model thought before it answered.
    Thinking(Thinking),
    /// A model asks for a tool.
    ToolCall(ToolCall),
    /// What came of it.
    ToolResult(ToolResult),
}

/// A model's reasoning. Some providers want it back unchanged, with its signature, in the next turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thinking {
    /// The reasoning, as far as the provider shows it.
    #[serde(default)]
    pub text: String,
    /// The provider's seal on it, opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Reasoning that the provider only gives in encrypted form, opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
}

/// A model's wish to call a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's id for this call; the result names it.
    pub id: CallId,
    /// The tool.
    pub name: ToolName,
    /// The arguments as the model wrote them. Anything but an object means that the model's JSON could not be used;
    /// then it is the raw text as a JSON string, and the tool call is answered with an error.
    pub arguments: Value,
}

/// The answer to a tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call that it answers.
    pub id: CallId,
    /// What the model gets to read.
    pub content: String,
    /// True when the tool failed or was refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}
