//! A request in the form of the wire. Pure.

use super::wire::{Body, StreamOptions, WireCall, WireCalled, WireFunction, WireMessage, WireTool};
use crate::providers::arguments::as_object;
use serde_json::{Value, json};
use sympozium_core::chat::{ChatRequest, Message, Role, ThinkingEffort, ToolChoice, ToolResult};

pub(super) fn body(request: &ChatRequest) -> Body<'_> {
    let completion_tokens = counts_completion_tokens(request.model.as_str());
    let has_tools = !request.tools.is_empty();
    Body {
        model: request.model.as_str(),
        messages: messages(request),
        tools: request
            .tools
            .iter()
            .map(|tool| WireTool {
                kind: "function",
                function: WireFunction {
                    name: tool.name.as_str(),
                    description: &tool.description,
                    parameters: &tool.parameters,
                },
            })
            .collect(),
        tool_choice: has_tools.then(|| tool_choice(&request.tool_choice)),
        max_tokens: request.max_tokens.filter(|_| !completion_tokens),
        max_completion_tokens: request.max_tokens.filter(|_| completion_tokens),
        reasoning_effort: effort(request.thinking),
        temperature: request.temperature,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
    }
}

/// Reasoning models refuse `max_tokens`, older models and many servers know nothing else: o1, o3, …, gpt-5, …, also
/// behind a vendor's name (`openai/gpt-5`).
fn counts_completion_tokens(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let generation = |prefix: &str| {
        let digits = name.strip_prefix(prefix)?;
        let end = digits.find(|c: char| !c.is_ascii_digit());
        let (number, rest) = digits.split_at(end.unwrap_or(digits.len()));
        let ends_there = rest.is_empty() || rest.starts_with(['-', '.', ':']);
        ends_there.then(|| number.parse::<u32>().ok()).flatten()
    };
    generation("o").is_some() || generation("gpt-").is_some_and(|number| (5..30).contains(&number))
}

fn effort(thinking: ThinkingEffort) -> Option<&'static str> {
    match thinking {
        ThinkingEffort::Off => None,
        ThinkingEffort::Low => Some("low"),
        ThinkingEffort::Medium => Some("medium"),
        ThinkingEffort::High => Some("high"),
    }
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn messages(request: &ChatRequest) -> Vec<WireMessage<'_>> {
    let system = request.system.as_deref().filter(|text| !text.is_empty());
    let mut wire: Vec<_> = system
        .map(|content| WireMessage::System { content })
        .into_iter()
        .collect();
    for message in &request.messages {
        match message.role {
            Role::User => user(message, &mut wire),
            Role::Assistant => wire.push(assistant(message)),
        }
    }
    wire
}

/// Results come first: they must stand right behind the calls that they answer.
fn user<'a>(message: &'a Message, wire: &mut Vec<WireMessage<'a>>) {
    wire.extend(message.results().map(|result| WireMessage::Tool {
        tool_call_id: result.id.as_str(),
        content: content(result),
    }));
    let text = message.text();
    if !text.is_empty() || message.results().next().is_none() {
        wire.push(WireMessage::User { content: text });
    }
}

/// The wire has no mark for failures, so the text has to say it.
fn content(result: &ToolResult) -> String {
    if result.is_error {
        format!("Error: {}", result.content)
    } else {
        result.content.clone()
    }
}

fn assistant(message: &Message) -> WireMessage<'_> {
    let tool_calls: Vec<_> = message
        .tool_calls()
        .map(|call| WireCall {
            id: call.id.as_str(),
            kind: "function",
            function: WireCalled {
                name: call.name.as_str(),
                arguments: Value::Object(as_object(&call.arguments)).to_string(),
            },
        })
        .collect();
    let text = message.text();
    WireMessage::Assistant {
        content: (!text.is_empty() || tool_calls.is_empty()).then_some(text),
        tool_calls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::sample;
    use sympozium_core::ids::{ModelName, ToolName};

    #[test]
    fn a_conversation_with_everything_in_it() {
        insta::assert_json_snapshot!(body(&sample::request("gpt-4o-mini")));
    }

    #[test]
    fn a_reasoning_model_gets_its_effort_and_its_own_output_limit() {
        let mut request =
            ChatRequest::new(ModelName::new("gpt-5-mini").unwrap()).messages(vec![Message::user("hi")]);
        request.thinking = ThinkingEffort::Medium;
        request.max_tokens = Some(100);
        insta::assert_json_snapshot!(body(&request));
    }

    #[test]
    fn the_output_limit_has_two_names() {
        for model in [
            "o1",
            "o1-mini",
            "o3-mini-2025-01-31",
            "o4-mini",
            "gpt-5",
            "gpt-5.1",
            "gpt-5-nano",
            "openai/gpt-5",
            "gpt-6",
        ] {
            assert!(counts_completion_tokens(model), "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4.1",
            "gpt-4-turbo",
            "gpt-3.5-turbo",
            "gpt-35-turbo",
            "gpt-oss-20b",
            "gpt-5x",
            "olmo",
            "o",
            "omni-1",
            "llama3",
            "claude-o1",
            "gpt-1106",
        ] {
            assert!(!counts_completion_tokens(model), "{model}");
        }
    }

    #[test]
    fn every_tool_choice_has_its_form_and_none_is_sent_without_tools() {
        for (choice, expected) in [
            (ToolChoice::Auto, json!("auto")),
            (ToolChoice::None, json!("none")),
            (ToolChoice::Required, json!("required")),
            (
                ToolChoice::Tool(ToolName::new("t").unwrap()),
                json!({"type": "function", "function": {"name": "t"}}),
            ),
        ] {
            let mut request = sample::request("m");
            request.tool_choice = choice;
            assert_eq!(body(&request).tool_choice, Some(expected));
            request.tools.clear();
            assert_eq!(body(&request).tool_choice, None);
        }
    }
}
