//! What a Chat Completions request asks for, in our own words. Pure.

use super::error::Refusal;
use super::fields;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use sympozium_core::chat::{
    ChatRequest, Message, Part, Role, ThinkingEffort, ToolCall, ToolChoice, ToolResult, ToolSpec,
};
use sympozium_core::ids::{CallId, ModelName, ToolName};

/// The request, as far as it has a meaning here.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    model: String,
    messages: Vec<WireMessage>,
    #[serde(default)]
    tools: Option<Vec<WireTool>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    reasoning_effort: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct WireMessage {
    role: String,
    #[serde(default)]
    content: Option<Value>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<WireCall>>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireCall {
    id: String,
    function: WireFunctionCall,
}

#[derive(Debug, Deserialize)]
struct WireFunctionCall {
    name: String,
    arguments: String,
}

#[derive(Debug, Deserialize)]
struct WireTool {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    function: Option<WireFunction>,
}

/// `strict` is the model's to keep, so it is not looked at.
#[derive(Debug, Deserialize)]
struct WireFunction {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Value>,
}

/// What is wanted.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) request: ChatRequest,
    /// The answer is to be streamed; with a last chunk that has the usage, if true.
    pub(super) stream: Option<bool>,
}

/// Understands a request, or says which field can't be honoured. `thinking` is how much the run's author wants the
/// model to think when the client does not say.
pub(super) fn understand(wire: Completion, thinking: ThinkingEffort) -> Result<Wanted, Refusal> {
    fields::check(&wire.rest)?;
    let model = ModelName::new(wire.model).map_err(|error| Refusal::invalid("model", format!("{error}.")))?;
    let (system, messages) = conversation(wire.messages)?;
    let mut request = ChatRequest::new(model)
        .messages(messages)
        .tools(tools(wire.tools.unwrap_or_default())?);
    request.system = system;
    request.tool_choice = tool_choice(wire.tool_choice.as_ref())?;
    request.max_tokens = wire.max_completion_tokens.or(wire.max_tokens);
    request.temperature = wire.temperature;
    request.thinking = wire.reasoning_effort.as_deref().map_or(Ok(thinking), effort)?;
    let with_usage = wire
        .stream_options
        .and_then(|options| options.include_usage)
        .unwrap_or(false);
    Ok(Wanted {
        request,
        stream: wire.stream.unwrap_or(false).then_some(with_usage),
    })
}

fn effort(text: &str) -> Result<ThinkingEffort, Refusal> {
    match text {
        "none" => Ok(ThinkingEffort::Off),
        "minimal" | "low" => Ok(ThinkingEffort::Low),
        "medium" => Ok(ThinkingEffort::Medium),
        "high" | "xhigh" => Ok(ThinkingEffort::High),
        other => {
            let detail =
                format!("There is no effort {other:?}; use none, minimal, low, medium, high or xhigh.");
            Err(Refusal::invalid("reasoning_effort", detail))
        }
    }
}

fn tools(wire: Vec<WireTool>) -> Result<Vec<ToolSpec>, Refusal> {
    let mut tools = Vec::with_capacity(wire.len());
    for (i, tool) in wire.into_iter().enumerate() {
        let param = format!("tools[{i}]");
        let (kind, function) = (tool.kind, tool.function);
        let Some(function) = function.filter(|_| kind == "function") else {
            return Err(Refusal::invalid(
                param,
                format!("Only tools of type function are known, not {kind:?}."),
            ));
        };
        let name =
            ToolName::new(function.name).map_err(|error| Refusal::invalid(param, format!("{error}.")))?;
        let parameters = function
            .parameters
            .unwrap_or_else(|| json!({"type": "object", "properties": {}}));
        tools.push(ToolSpec {
            name,
            description: function.description.unwrap_or_default(),
            parameters,
        });
    }
    Ok(tools)
}

fn tool_choice(wire: Option<&Value>) -> Result<ToolChoice, Refusal> {
    let Some(wire) = wire.filter(|choice| !choice.is_null()) else {
        return Ok(ToolChoice::Auto);
    };
    let unknown = |detail: String| Refusal::invalid("tool_choice", detail);
    match wire.as_str() {
        Some("auto") => return Ok(ToolChoice::Auto),
        Some("none") => return Ok(ToolChoice::None),
        Some("required") => return Ok(ToolChoice::Required),
        // Not one of the words: it may be an object, and is refused below if it is none.
        Some(_) | None => {}
    }
    let name = wire.pointer("/function/name").and_then(Value::as_str);
    let named = name.filter(|_| wire.get("type").and_then(Value::as_str) == Some("function"));
    let Some(named) = named else {
        return Err(unknown(
            "Use auto, none, required, or the name of a function.".to_owned(),
        ));
    };
    ToolName::new(named)
        .map(ToolChoice::Tool)
        .map_err(|error| unknown(format!("{error}.")))
}

/// The system prompt and the conversation. Instructions stand above the conversation here, wherever they stood there;
/// results that follow each other become one message.
fn conversation(wire: Vec<WireMessage>) -> Result<(Option<String>, Vec<Message>), Refusal> {
    let mut system: Vec<String> = Vec::new();
    let mut messages: Vec<Message> = Vec::new();
    let mut open = BTreeSet::new();
    let mut after_result = false;
    for (i, message) in wire.into_iter().enumerate() {
        let param = format!("messages[{i}]");
        let is_result = message.role == "tool";
        match message.role.as_str() {
            "system" | "developer" => system.push(text(message.content, &param)?),
            "user" => messages.push(Message::user(text(message.content, &param)?)),
            "assistant" => messages.push(assistant(message, &param, &mut open)?),
            "tool" => {
                let result = Part::ToolResult(result(message, &param, &mut open)?);
                match messages.last_mut().filter(|_| after_result) {
                    Some(last) => last.parts.push(result),
                    None => messages.push(Message {
                        role: Role::User,
                        parts: vec![result],
                    }),
                }
            }
            other => return Err(Refusal::invalid(param, format!("There is no role {other:?}."))),
        }
        after_result = is_result;
    }
    if messages.is_empty() {
        return Err(Refusal::invalid(
            "messages",
            "There has to be at least one message that is no instruction.",
        ));
    }
    Ok(((!system.is_empty()).then(|| system.join("\n\n")), messages))
}

fn assistant(message: WireMessage, param: &str, open: &mut BTreeSet<CallId>) -> Result<Message, Refusal> {
    let mut parts = Vec::new();
    for said in [
        message
            .content
            .map(|content| text(Some(content), param))
            .transpose()?,
        message.refusal,
    ] {
        parts.extend(
            said.filter(|text| !text.is_empty())
                .map(|text| Part::Text { text }),
        );
    }
    for call in message.tool_calls.unwrap_or_default() {
        let wrong = |error| Refusal::invalid(format!("{param}.tool_calls"), format!("{error}."));
        let id = CallId::new(call.id).map_err(wrong)?;
        let name = ToolName::new(call.function.name).map_err(wrong)?;
        let arguments = match serde_json::from_str(&call.function.arguments) {
            Ok(object @ Value::Object(_)) => object,
            // What the model wrote, as it wrote it.
            Ok(_) | Err(_) => Value::String(call.function.arguments),
        };
        open.insert(id.clone());
        parts.push(Part::ToolCall(ToolCall { id, name, arguments }));
    }
    Ok(Message {
        role: Role::Assistant,
        parts,
    })
}

fn result(message: WireMessage, param: &str, open: &mut BTreeSet<CallId>) -> Result<ToolResult, Refusal> {
    let param = format!("{param}.tool_call_id");
    let id = message.tool_call_id.unwrap_or_default();
    let id = CallId::new(id).map_err(|error| Refusal::invalid(&param, format!("{error}.")))?;
    if !open.remove(&id) {
        let detail = format!("There is no call {id} before this message that has no result yet.");
        return Err(Refusal::invalid(param, detail));
    }
    Ok(ToolResult {
        id,
        content: text(message.content, &param)?,
        is_error: false,
    })
}

/// A message's text: a string, or parts that are all text.
fn text(content: Option<Value>, param: &str) -> Result<String, Refusal> {
    let wrong = |detail: &str| Refusal::invalid(format!("{param}.content"), detail.to_owned());
    match content {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().map(|part| {
                let field = match part.get("type").and_then(Value::as_str)? {
                    "text" => "text",
                    "refusal" => "refusal",
                    _ => return None,
                };
                part.get(field)?.as_str()
            });
            let all: Option<String> = texts.collect();
            all.ok_or_else(|| wrong("Only parts of type text are known: no images, audio or files."))
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(wrong("It has to be a string, or a list of parts of type text."))
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
