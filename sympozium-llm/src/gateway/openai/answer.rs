//! A whole answer as a `chat.completion`. Pure.

use serde_json::{Value, json};
use sympozium_core::chat::{ChatResponse, FinishReason, ToolCall, Usage};
use uuid::Uuid;

/// What is the same in all pieces of an answer.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: Uuid,
    /// Seconds since 1970.
    pub(super) created: i64,
    /// As the client wrote it.
    pub(super) model: String,
}

pub(super) fn completion(answer: &ChatResponse, identity: &Identity) -> Value {
    let text = answer.message.text();
    let calls: Vec<_> = answer.message.tool_calls().map(call).collect();
    let mut message = json!({"role": "assistant", "content": text, "refusal": null});
    if let Value::Object(message) = &mut message
        && !calls.is_empty()
    {
        if text.is_empty() {
            message.insert("content".to_owned(), Value::Null);
        }
        message.insert("tool_calls".to_owned(), json!(calls));
    }
    json!({
        "id": id(identity),
        "object": "chat.completion",
        "created": identity.created,
        "model": answer.model.as_ref().unwrap_or(&identity.model),
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_reason(answer.finish),
        }],
        "usage": usage(answer.usage),
    })
}

pub(super) fn id(identity: &Identity) -> String {
    format!("chatcmpl-{}", identity.id.simple())
}

fn call(call: &ToolCall) -> Value {
    // Arguments that are no object are the model's raw text.
    let arguments = call
        .arguments
        .as_str()
        .map_or_else(|| call.arguments.to_string(), str::to_owned);
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

pub(super) fn finish_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
    }
}

/// `null` when the provider did not say.
pub(super) fn usage(usage: Option<Usage>) -> Value {
    let Some(usage) = usage else { return Value::Null };
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::chat::{Message, Part, Role};

    #[test]
    fn calls_text_and_usage_arrive_in_openais_shape() {
        let made = |id: &str, arguments| {
            let (id, name) = (id.parse().unwrap(), "t".parse().unwrap());
            Part::ToolCall(ToolCall { id, name, arguments })
        };
        let parts = vec![made("a", json!({"x": 1})), made("b", json!("not json"))];
        let answer = ChatResponse {
            message: Message {
                role: Role::Assistant,
                parts,
            },
            finish: FinishReason::ToolCalls,
            usage: Some(Usage {
                input_tokens: 3,
                output_tokens: 2,
                cache_read_tokens: 1,
                ..Usage::default()
            }),
            model: None,
        };
        let identity = Identity {
            id: Uuid::nil(),
            created: 5,
            model: "m".to_owned(),
        };
        let function = |arguments: &str| json!({"name": "t", "arguments": arguments});
        let expected = json!({
            "id": "chatcmpl-00000000000000000000000000000000",
            "object": "chat.completion",
            "created": 5,
            "model": "m",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                    {"id": "a", "type": "function", "function": function("{\"x\":1}")},
                    {"id": "b", "type": "function", "function": function("not json")},
                ]},
                "logprobs": null,
                "finish_reason": "tool_calls",
            }],
            "usage": {
                "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        });
        assert_eq!(completion(&answer, &identity), expected);
    }

    #[test]
    fn words_are_content_and_unknown_usage_is_null() {
        let answer = ChatResponse {
            message: Message::assistant("hi"),
            finish: FinishReason::Length,
            usage: None,
            model: Some("m-1".to_owned()),
        };
        let said = completion(
            &answer,
            &Identity {
                id: Uuid::nil(),
                created: 0,
                model: "m".to_owned(),
            },
        );
        assert_eq!(
            said["choices"][0]["message"],
            json!({"role": "assistant", "content": "hi", "refusal": null})
        );
        assert_eq!(
            (&said["choices"][0]["finish_reason"], &said["model"]),
            (&json!("length"), &json!("m-1"))
        );
        assert_eq!(said["usage"], Value::Null);
    }
}
