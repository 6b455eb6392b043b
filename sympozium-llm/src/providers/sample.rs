//! A conversation with everything in it, for the tests of both encoders.

use serde_json::json;
use sympozium_core::chat::{ChatRequest, Message, Part, Role, Thinking, ToolCall, ToolResult, ToolSpec};
use sympozium_core::ids::{CallId, ModelName, ToolName};

pub(super) fn request(model: &str) -> ChatRequest {
    let text = |text: &str| Part::Text {
        text: text.to_owned(),
    };
    let thinking = |text: &str, signature: Option<&str>, redacted: Option<&str>| {
        Part::Thinking(Thinking {
            text: text.to_owned(),
            signature: signature.map(ToOwned::to_owned),
            redacted: redacted.map(ToOwned::to_owned),
        })
    };
    let call = |id: &str, arguments| {
        Part::ToolCall(ToolCall {
            id: CallId::new(id).unwrap(),
            name: ToolName::new("read_file").unwrap(),
            arguments,
        })
    };
    let result = |id: &str, content: &str, is_error| {
        Part::ToolResult(ToolResult {
            id: CallId::new(id).unwrap(),
            content: content.to_owned(),
            is_error,
        })
    };
    let message = |role, parts| Message { role, parts };
    let mut request = ChatRequest::new(ModelName::new(model).unwrap())
        .system("Be brief.")
        .messages(vec![
            Message::user("Which customer spent the most?"),
            message(
                Role::Assistant,
                vec![
                    thinking("I need the files.", Some("c2ln"), None),
                    thinking("", None, Some("ZW5j")),
                    thinking("from another provider", None, None),
                    text("I look."),
                    call("a", json!({"path": "orders.csv"})),
                    call("b", json!("{\"path\":")),
                ],
            ),
            message(
                Role::User,
                vec![
                    text("This is the last turn."),
                    result("a", "x,1\ny,2", false),
                    result("b", "The arguments are no JSON object.", true),
                ],
            ),
            message(Role::Assistant, vec![]),
            Message::user("And now?"),
        ])
        .tools(vec![ToolSpec {
            name: ToolName::new("read_file").unwrap(),
            description: "Reads a file.".to_owned(),
            parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        }]);
    request.max_tokens = Some(4096);
    request.temperature = Some(0.5);
    request
}
