//! A whole answer as the events that would have given it.

use sympozium_core::chat::{ChatEvent, ChatResponse, Part};

/// Events that accumulate to this answer.
pub(super) fn events(answer: &ChatResponse) -> Vec<ChatEvent> {
    let mut events = Vec::new();
    for (index, part) in (0u32..).zip(&answer.message.parts) {
        match part {
            Part::Text { text } => events.push(ChatEvent::TextDelta {
                index,
                text: text.clone(),
            }),
            Part::Thinking(thinking) => events.push(ChatEvent::ThinkingDelta {
                index,
                text: thinking.text.clone(),
                signature: thinking.signature.clone(),
                redacted: thinking.redacted.clone(),
            }),
            Part::ToolCall(call) => {
                events.push(ChatEvent::ToolCallStart {
                    index,
                    id: call.id.clone(),
                    name: call.name.clone(),
                });
                // Arguments that are no object are the model's raw text.
                let arguments = call
                    .arguments
                    .as_str()
                    .map_or_else(|| call.arguments.to_string(), str::to_owned);
                events.push(ChatEvent::ToolCallDelta { index, arguments });
            }
            // A model never answers with tool results.
            Part::ToolResult(_) => {}
        }
    }
    events.push(done(answer));
    events
}

/// The last event of an answer.
pub(super) fn done(answer: &ChatResponse) -> ChatEvent {
    ChatEvent::Done {
        finish: answer.finish,
        usage: answer.usage,
        model: answer.model.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::chat::{Accumulator, FinishReason, Message, Role, Thinking, ToolCall};
    use sympozium_core::ids::{CallId, ToolName};

    #[test]
    fn a_replayed_answer_is_the_answer() {
        let call = |arguments| {
            Part::ToolCall(ToolCall {
                id: CallId::new("c").unwrap(),
                name: ToolName::new("t").unwrap(),
                arguments,
            })
        };
        let thinking = Thinking {
            text: "hm".into(),
            signature: Some("sig".into()),
            redacted: None,
        };
        let answer = ChatResponse {
            message: Message {
                role: Role::Assistant,
                parts: vec![
                    Part::Thinking(thinking),
                    Part::Text { text: "hi".into() },
                    call(serde_json::json!({"a": 1})),
                    call(serde_json::json!("not json")),
                ],
            },
            finish: FinishReason::ToolCalls,
            usage: None,
            model: Some("m".into()),
        };
        let mut again = Accumulator::default();
        for event in events(&answer) {
            again.push(&event);
        }
        assert_eq!(again.finish(), Some(answer));
    }
}
