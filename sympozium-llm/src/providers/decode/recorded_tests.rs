//! Recorded streams of both wire formats, cut at every byte, and what they mean.

use super::replay::{self, Replayed};
use proptest::prelude::*;
use serde_json::json;
use std::path::PathBuf;
use sympozium_core::chat::{Accumulator, ChatResponse, FinishReason, Part, Thinking, ToolCall, Usage};
use sympozium_core::error::Classify;
use sympozium_core::ids::{CallId, ToolName};

type Replay = fn(&[&[u8]]) -> Replayed;

fn openai(pieces: &[&[u8]]) -> Replayed {
    replay::openai(pieces.iter().copied())
}

fn anthropic(pieces: &[&[u8]]) -> Replayed {
    replay::anthropic(pieces.iter().copied())
}

fn corpus(format: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(format);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(files.len() >= 8, "the recordings of {format} are missing");
    files
}

/// The whole answer, or the kind of error.
fn outcome((events, error): Replayed) -> Result<ChatResponse, &'static str> {
    if let Some(error) = error {
        return Err(error.kind());
    }
    let mut answer = Accumulator::default();
    for event in &events {
        answer.push(event);
    }
    answer.finish().ok_or("no end")
}

fn recorded(replay: Replay, format: &str, name: &str) -> Result<ChatResponse, &'static str> {
    let files = corpus(format);
    let (_, bytes) = files.iter().find(|(file, _)| file == name).unwrap();
    outcome(replay(&[bytes]))
}

fn parts(answer: Result<ChatResponse, &'static str>) -> (Vec<Part>, FinishReason) {
    let answer = answer.unwrap();
    (answer.message.parts, answer.finish)
}

fn text(text: &str) -> Part {
    Part::Text {
        text: text.to_owned(),
    }
}

fn call(id: &str, name: &str, arguments: serde_json::Value) -> Part {
    Part::ToolCall(ToolCall {
        id: CallId::new(id).unwrap(),
        name: ToolName::new(name).unwrap(),
        arguments,
    })
}

fn thought(text: &str, signature: Option<&str>, redacted: Option<&str>) -> Part {
    Part::Thinking(Thinking {
        text: text.to_owned(),
        signature: signature.map(ToOwned::to_owned),
        redacted: redacted.map(ToOwned::to_owned),
    })
}

#[test]
fn a_recording_means_the_same_wherever_it_is_cut() {
    for (format, replay) in [
        ("openai_stream", openai as Replay),
        ("anthropic_stream", anthropic),
    ] {
        for (name, bytes) in corpus(format) {
            let (events, error) = replay(&[&bytes]);
            let error = error.map(|error| error.to_string());
            let check = |pieces: &[&[u8]], place: &str| {
                let (same, other) = replay(pieces);
                assert_eq!(same, events, "{format}/{name} {place}");
                assert_eq!(
                    other.map(|error| error.to_string()),
                    error,
                    "{format}/{name} {place}"
                );
            };
            for cut in 0..=bytes.len() {
                let (one, two) = bytes.split_at(cut);
                check(&[one, two], &format!("cut at {cut}"));
            }
            check(&bytes.chunks(1).collect::<Vec<_>>(), "byte by byte");
        }
    }
}

#[test]
fn a_recording_without_its_end_is_never_a_whole_answer() {
    for (format, replay, end) in [
        ("openai_stream", openai as Replay, &b"\"finish_reason\": \""[..]),
        ("anthropic_stream", anthropic, b"event: message_stop"),
    ] {
        for (name, bytes) in corpus(format) {
            let until = bytes.windows(end.len()).position(|window| window == end);
            for cut in 0..until.unwrap_or(0) {
                let (_, error) = replay(&[&bytes[..cut]]);
                let kind = error.map(|error| error.kind());
                assert!(kind.is_some(), "{format}/{name} cut at {cut}");
            }
        }
    }
}

#[test]
fn openai_answers_are_understood() {
    let recorded = |name| recorded(openai, "openai_stream", name);
    let answer = recorded("text-and-usage").unwrap();
    assert_eq!(answer.message.text(), "Hello");
    assert_eq!(
        (answer.finish, answer.model.as_deref()),
        (FinishReason::Stop, Some("m"))
    );
    let usage = Usage {
        input_tokens: 9,
        output_tokens: 2,
        cache_read_tokens: 4,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(
        parts(recorded("parallel-tool-calls")),
        (
            vec![
                call("a", "read_file", json!({"path": "x"})),
                call("b", "list_directory", json!({"path": "."})),
            ],
            FinishReason::ToolCalls
        )
    );
    assert_eq!(
        parts(recorded("reasoning")),
        (vec![thought("hmhm", None, None), text("ok")], FinishReason::Stop)
    );
    assert_eq!(
        parts(recorded("broken-arguments")),
        (vec![call("a", "t", json!("{\"x\":"))], FinishReason::Length)
    );
    assert_eq!(
        parts(recorded("unknown-fields-and-nulls")),
        (vec![], FinishReason::Stop)
    );
    assert_eq!(recorded("error-in-the-middle").unwrap_err(), "interrupted");
    assert_eq!(recorded("ends-without-done").unwrap_err(), "interrupted");
    assert_eq!(recorded("cut-json").unwrap_err(), "protocol");
}

#[test]
fn anthropic_answers_are_understood() {
    let recorded = |name| recorded(anthropic, "anthropic_stream", name);
    let answer = recorded("text").unwrap();
    assert_eq!(answer.message.text(), "Hello");
    assert_eq!(
        (answer.finish, answer.model.as_deref()),
        (FinishReason::Stop, Some("m"))
    );
    let usage = Usage {
        input_tokens: 13,
        output_tokens: 5,
        cache_read_tokens: 4,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(
        parts(recorded("two-tool-calls")),
        (
            vec![
                call("a", "read_file", json!({"path": "x"})),
                call("b", "t", json!({}))
            ],
            FinishReason::ToolCalls
        )
    );
    assert_eq!(
        parts(recorded("thinking-with-signature")),
        (vec![thought("hm", Some("c2ln"), None)], FinishReason::Stop)
    );
    assert_eq!(
        parts(recorded("redacted-thinking")),
        (vec![thought("", None, Some("eA=="))], FinishReason::Stop)
    );
    assert_eq!(
        parts(recorded("broken-arguments")),
        (vec![call("a", "t", json!("{\"x\""))], FinishReason::Length)
    );
    assert_eq!(parts(recorded("unknown-events")), (vec![], FinishReason::Stop));
    assert_eq!(recorded("error-in-the-middle").unwrap_err(), "unavailable");
    assert_eq!(recorded("ends-early").unwrap_err(), "interrupted");
    assert_eq!(recorded("delta-without-block").unwrap_err(), "interrupted");
}

/// Events of OpenAI's form from their JSON, without the end.
fn openai_events(chunks: &[serde_json::Value]) -> Result<ChatResponse, &'static str> {
    let events: Vec<_> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    outcome(openai(&[events.concat().as_bytes()]))
}

#[test]
fn habits_of_compatible_servers_are_understood() {
    let delta = |delta: serde_json::Value| json!({"choices": [{"delta": delta}]});
    let end = |reason: &str| json!({"choices": [{"delta": {}, "finish_reason": reason}]});
    let called = |call: serde_json::Value| delta(json!({"tool_calls": [call]}));
    // Calls without ids, `stop` behind them, and no last line.
    assert_eq!(
        parts(openai_events(&[
            called(json!({"function": {"name": "t", "arguments": {"a": 1}}})),
            end("stop"),
        ])),
        (
            vec![call("call_0", "t", json!({"a": 1}))],
            FinishReason::ToolCalls
        )
    );
    // All calls numbered 0, told apart by id; the id repeated with every piece.
    assert_eq!(
        parts(openai_events(&[
            called(json!({"index": 0, "id": "a", "function": {"name": "t", "arguments": "{\"x\":"}})),
            called(json!({"index": 0, "id": "a", "function": {"name": "t", "arguments": "1}"}})),
            called(json!({"index": 0, "id": "b", "function": {"name": "t", "arguments": "{}"}})),
            end("tool_calls"),
        ])),
        (
            vec![call("a", "t", json!({"x": 1})), call("b", "t", json!({}))],
            FinishReason::ToolCalls
        )
    );
    // Text as a list of parts; reasoning between text keeps its place; a refusal is an answer.
    assert_eq!(
        parts(openai_events(&[
            delta(json!({"content": [{"type": "text", "text": "a"}, {"type": "odd"}]})),
            delta(json!({"reasoning": "hm"})),
            delta(json!({"content": "b", "reasoning_content": ""})),
            delta(json!({"refusal": "no"})),
            end("content_filter"),
        ])),
        (
            vec![text("a"), thought("hm", None, None), text("bno")],
            FinishReason::ContentFilter
        )
    );
    // Usage with the last piece, and an id that is none.
    let answer = openai_events(&[
        called(json!({"index": 0, "id": "", "function": {"name": "my.tool", "arguments": ""}})),
        json!({
            "choices": [{"delta": {}, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}},
        }),
    ])
    .unwrap();
    let usage = Usage {
        input_tokens: 1,
        output_tokens: 2,
        reasoning_tokens: 1,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.message.parts, [call("call_0", "my_tool", json!({}))]);
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let call = |index: u32| json!({"choices": [{"delta": {"tool_calls": [{"index": index, "function": {"name": "t"}}]}}]});
    let nameless =
        json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]});
    assert_eq!(openai_events(&[nameless]).unwrap_err(), "protocol");
    let many: Vec<_> = (0..200).map(call).collect();
    assert_eq!(openai_events(&many).unwrap_err(), "protocol");
    assert_eq!(openai_events(&[json!("words")]).unwrap_err(), "protocol");
    let block = r#"data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}"#;
    let twice = format!("{block}\n\n{block}\n\n");
    assert_eq!(outcome(anthropic(&[twice.as_bytes()])).unwrap_err(), "protocol");
}

#[test]
fn a_named_error_event_is_an_error_in_any_form() {
    let stream = b"event: error\ndata: {\"message\": \"upstream gone\"}\n\n";
    let (_, error) = openai(&[stream]);
    assert!(error.unwrap().to_string().contains("upstream gone"));
}

proptest! {
    #[test]
    fn damaged_recordings_never_panic(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for (format, replay) in [("openai_stream", openai as Replay), ("anthropic_stream", anthropic)] {
            let files = corpus(format);
            let mut bytes = files[which.index(files.len())].1.clone();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let (events, error) = replay(&[&bytes]);
            let done = events.iter().filter(|event| matches!(event, sympozium_core::chat::ChatEvent::Done { .. })).count();
            prop_assert_eq!(done, usize::from(error.is_none()));
        }
    }
}
