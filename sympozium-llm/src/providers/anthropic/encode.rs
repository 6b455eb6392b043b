//! A request in the form of the wire. Pure.

use super::thinking::thinking;
use super::wire::{Block, Body, CacheControl, Content, WireChoice, WireMessage, WireTool};
use crate::providers::arguments::as_object;
use sympozium_core::chat::{ChatRequest, Message, Part, Role, Thinking, ToolChoice};

/// The API insists on a limit.
const DEFAULT_MAX_TOKENS: u32 = 8_192;

pub(super) fn body(request: &ChatRequest) -> Body<'_> {
    let max_tokens = request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    let (thinking, output_config) = thinking(request, max_tokens);
    let has_tools = !request.tools.is_empty();
    let mut body = Body {
        model: request.model.as_str(),
        max_tokens,
        system: request.system.as_deref().and_then(text).into_iter().collect(),
        messages: messages(&request.messages),
        tools: request
            .tools
            .iter()
            .map(|tool| WireTool {
                name: tool.name.as_str(),
                description: &tool.description,
                input_schema: &tool.parameters,
            })
            .collect(),
        tool_choice: has_tools.then(|| tool_choice(&request.tool_choice)),
        // The API takes no temperature besides thinking.
        temperature: request.temperature.filter(|_| thinking.is_none()),
        thinking,
        output_config,
        stream: true,
    };
    if has_tools {
        mark_for_cache(&mut body);
    }
    body
}

fn tool_choice(choice: &ToolChoice) -> WireChoice<'_> {
    match choice {
        ToolChoice::Auto => WireChoice::Auto,
        ToolChoice::None => WireChoice::None,
        ToolChoice::Required => WireChoice::Any,
        ToolChoice::Tool(name) => WireChoice::Tool { name: name.as_str() },
    }
}

/// Whoever has tools comes back with the same beginning: instructions and tools, then everything said so far.
fn mark_for_cache(body: &mut Body<'_>) {
    let last = body
        .messages
        .last_mut()
        .and_then(|message| message.content.last_mut());
    for block in body.system.last_mut().into_iter().chain(last) {
        match block.content {
            Content::Text { .. } | Content::ToolUse { .. } | Content::ToolResult { .. } => {
                block.cache_control = Some(CacheControl::Ephemeral);
            }
            // The API does not take the mark there.
            Content::Thinking { .. } | Content::RedactedThinking { .. } => {}
        }
    }
}

/// Neighbours of one role become one message, and messages of nothing are left out: the API takes neither.
fn messages(messages: &[Message]) -> Vec<WireMessage<'_>> {
    let mut wire: Vec<WireMessage<'_>> = Vec::with_capacity(messages.len());
    for message in messages {
        let (role, content) = match message.role {
            Role::User => ("user", user(message)),
            Role::Assistant => ("assistant", blocks(message, |_| true)),
        };
        match wire.last_mut() {
            _ if content.is_empty() => {}
            Some(last) if last.role == role => last.content.extend(content),
            _ => wire.push(WireMessage { role, content }),
        }
    }
    wire
}

/// Results come first: they must stand right behind the calls that they answer.
fn user(message: &Message) -> Vec<Block<'_>> {
    let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
    let mut content = blocks(message, is_result);
    content.extend(blocks(message, |part| !is_result(part)));
    content
}

fn blocks(message: &Message, wanted: impl Fn(&Part) -> bool) -> Vec<Block<'_>> {
    let parts = message.parts.iter().filter(|part| wanted(part));
    parts.filter_map(block).collect()
}

fn block(part: &Part) -> Option<Block<'_>> {
    let content = match part {
        Part::Text { text: words } => return text(words),
        Part::Thinking(thinking) => return thought(thinking),
        Part::ToolCall(call) => Content::ToolUse {
            id: call.id.as_str(),
            name: call.name.as_str(),
            input: as_object(&call.arguments),
        },
        Part::ToolResult(result) => Content::ToolResult {
            tool_use_id: result.id.as_str(),
            content: &result.content,
            is_error: result.is_error,
        },
    };
    Some(plain(content))
}

/// The API refuses texts of nothing but white space.
fn text(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then(|| plain(Content::Text { text }))
}

fn thought(thinking: &Thinking) -> Option<Block<'_>> {
    let content = match thinking {
        Thinking {
            redacted: Some(data), ..
        } => Content::RedactedThinking { data },
        Thinking {
            text,
            signature: Some(signature),
            ..
        } => Content::Thinking {
            thinking: text,
            signature,
        },
        Thinking {
            signature: None,
            redacted: None,
            ..
        } => return None,
    };
    Some(plain(content))
}

fn plain(content: Content<'_>) -> Block<'_> {
    Block {
        content,
        cache_control: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::sample;
    use sympozium_core::chat::ThinkingEffort;
    use sympozium_core::ids::{ModelName, ToolName};

    #[test]
    fn a_conversation_with_everything_in_it() {
        insta::assert_json_snapshot!(body(&sample::request("claude-sonnet-4-5")));
    }

    #[test]
    fn a_thinking_model_gets_no_temperature() {
        let mut request =
            ChatRequest::new(ModelName::new("claude-opus-4-7").unwrap()).messages(vec![Message::user("hi")]);
        request.thinking = ThinkingEffort::Low;
        request.temperature = Some(0.2);
        insta::assert_json_snapshot!(body(&request));
    }

    #[test]
    fn neighbours_of_one_role_become_one_message() {
        let said = [
            Message::user("a"),
            Message::user(" \n"),
            Message::user("b"),
            Message::assistant("c"),
        ];
        let wire = messages(&said);
        let shape: Vec<_> = wire
            .iter()
            .map(|message| (message.role, message.content.len()))
            .collect();
        assert_eq!(shape, [("user", 2), ("assistant", 1)]);
    }

    #[test]
    fn every_tool_choice_has_its_form_and_none_is_sent_without_tools() {
        for (choice, expected) in [
            (ToolChoice::Auto, r#"{"type":"auto"}"#),
            (ToolChoice::None, r#"{"type":"none"}"#),
            (ToolChoice::Required, r#"{"type":"any"}"#),
            (
                ToolChoice::Tool(ToolName::new("t").unwrap()),
                r#"{"type":"tool","name":"t"}"#,
            ),
        ] {
            let mut request = sample::request("m");
            request.tool_choice = choice;
            assert_eq!(
                serde_json::to_string(&body(&request).tool_choice).unwrap(),
                expected
            );
            request.tools.clear();
            assert_eq!(body(&request).tool_choice, None);
        }
    }
}
