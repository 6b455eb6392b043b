use super::*;

fn understood(wire: Value) -> Result<Wanted, Refusal> {
    understand(serde_json::from_value(wire).unwrap(), ThinkingEffort::Off)
}

fn refused(wire: Value) -> (Option<String>, String) {
    let refusal = understood(wire).unwrap_err();
    assert_eq!(refusal.problem.status, 400);
    (refusal.param, refusal.problem.detail)
}

fn asked(role: &str, content: impl Into<Value>) -> Value {
    json!({"role": role, "content": content.into()})
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "t", "arguments": arguments}})
}

#[test]
fn a_conversation_with_tools_keeps_its_meaning() {
    let wanted = understood(json!({
        "model": "m",
        "messages": [
            asked("system", "be brief"),
            asked("user", json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])),
            {"role": "assistant", "content": null, "tool_calls": [call("1", "{\"x\":1}"), call("2", "oops")]},
            {"role": "tool", "tool_call_id": "1", "content": "one"},
            {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "two"}]},
            asked("developer", "be kind"),
            asked("assistant", "done"),
        ],
        "tools": [{"type": "function", "function": {"name": "t", "strict": true}}],
        "tool_choice": {"type": "function", "function": {"name": "t"}},
        "max_tokens": 5,
        "max_completion_tokens": 7,
        "temperature": 0.5,
        "reasoning_effort": "high",
        "stream": true,
        "stream_options": {"include_usage": true},
        "seed": 1,
    }))
    .unwrap();
    let called = |id: &str, arguments| {
        let (id, name) = (id.parse().unwrap(), "t".parse().unwrap());
        Part::ToolCall(ToolCall { id, name, arguments })
    };
    let answered = |id: &str, content: &str| ToolResult {
        id: id.parse().unwrap(),
        content: content.to_owned(),
        is_error: false,
    };
    let mut expected = ChatRequest::new("m".parse().unwrap())
        .system("be brief\n\nbe kind")
        .messages(vec![
            Message::user("ab"),
            Message {
                role: Role::Assistant,
                parts: vec![called("1", json!({"x": 1})), called("2", json!("oops"))],
            },
            Message::tool_results(vec![answered("1", "one"), answered("2", "two")]),
            Message::assistant("done"),
        ]);
    let parameters = json!({"type": "object", "properties": {}});
    expected.tools = vec![ToolSpec {
        name: "t".parse().unwrap(),
        description: String::new(),
        parameters,
    }];
    expected.tool_choice = ToolChoice::Tool("t".parse().unwrap());
    expected.max_tokens = Some(7);
    expected.temperature = Some(0.5);
    expected.thinking = ThinkingEffort::High;
    assert_eq!(
        wanted,
        Wanted {
            request: expected,
            stream: Some(true)
        }
    );
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    let with = |messages: Value| json!({"model": "m", "messages": messages});
    let mut bad_tool = with(json!([asked("user", "hi")]));
    bad_tool["tools"] = json!([{"type": "custom", "custom": {"name": "x"}}]);
    let mut two = with(json!([asked("user", "hi")]));
    two["n"] = json!(2);
    let mut effort = with(json!([asked("user", "hi")]));
    effort["reasoning_effort"] = json!("extreme");
    let mut choice = with(json!([asked("user", "hi")]));
    choice["tool_choice"] = json!("any");
    let image = json!([{"type": "image_url", "image_url": {"url": "data:"}}]);
    for (wire, param) in [
        (with(json!([])), "messages"),
        (with(json!([asked("system", "x")])), "messages"),
        (with(json!([asked("robot", "x")])), "messages[0]"),
        (with(json!([asked("user", image)])), "messages[0].content"),
        (with(json!([asked("user", 7)])), "messages[0].content"),
        (
            with(json!([{"role": "tool", "tool_call_id": "x", "content": "y"}])),
            "messages[0].tool_call_id",
        ),
        (
            with(json!([{"role": "assistant", "tool_calls": [call("", "{}")]}])),
            "messages[0].tool_calls",
        ),
        (bad_tool, "tools[0]"),
        (two, "n"),
        (effort, "reasoning_effort"),
        (choice, "tool_choice"),
        (json!({"model": "", "messages": []}), "model"),
    ] {
        let (named, detail) = refused(wire);
        assert_eq!(named.as_deref(), Some(param), "{detail}");
        assert!(detail.ends_with('.'), "{detail}");
    }
}

#[test]
fn a_plain_request_is_not_streamed_and_thinks_as_the_run_does() {
    let wire = json!({"model": "m", "messages": [asked("user", "hi")]});
    let wanted = understand(serde_json::from_value(wire).unwrap(), ThinkingEffort::Medium).unwrap();
    assert_eq!(
        (wanted.stream, wanted.request.thinking),
        (None, ThinkingEffort::Medium)
    );
    assert_eq!(wanted.request.max_tokens, None);
}
