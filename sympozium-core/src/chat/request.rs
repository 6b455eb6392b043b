//! What is asked of a model, and what it answers.

use super::{FinishReason, Message, Usage};
use crate::ids::{ModelName, ToolName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// The name to call it by.
    pub name: ToolName,
    /// What it does and when to use it, for the model.
    pub description: String,
    /// JSON Schema (an object schema) of its arguments.
    pub parameters: Value,
}

/// Whether and which tool the model has to call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// None: answer in words.
    None,
    /// At least one, of its choice.
    Required,
    /// This one.
    Tool(ToolName),
}

/// How much a model should think before it answers. Providers map it to their own scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ThinkingEffort {
    /// Not at all (the default).
    #[default]
    Off,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// A lot.
    High,
}

/// One model call. Providers are stateless: the whole conversation travels in the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model, in its provider's own terms.
    pub model: ModelName,
    /// Instructions that stand above the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// What the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Whether it has to.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// The most output tokens that may be made; `None` leaves it to the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How much to think first.
    #[serde(default)]
    pub thinking: ThinkingEffort,
    /// Sampling temperature; `None` leaves it to the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

impl ChatRequest {
    /// A request of one model, everything else empty or at its default.
    pub fn new(model: ModelName) -> Self {
        Self {
            model,
            system: None,
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: None,
            thinking: ThinkingEffort::Off,
            temperature: None,
        }
    }

    /// Sets the system prompt.
    #[must_use]
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// Sets the conversation.
    #[must_use]
    pub fn messages(mut self, messages: Vec<Message>) -> Self {
        self.messages = messages;
        self
    }

    /// Sets the tools.
    #[must_use]
    pub fn tools(mut self, tools: Vec<ToolSpec>) -> Self {
        self.tools = tools;
        self
    }
}

/// A model's whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatResponse {
    /// What it said.
    pub message: Message,
    /// Why it stopped.
    pub finish: FinishReason,
    /// What it used; `None` when the provider did not say.
    pub usage: Option<Usage>,
    /// The model that answered, in the provider's words.
    pub model: Option<String>,
}
