//! Entry points for fuzzing: bytes in, invariants checked, nothing out.

use crate::providers::decode::replay::{self, Replayed};
use std::collections::BTreeSet;
use sympozium_core::chat::{Accumulator, ChatEvent};

/// Server-sent events: pieces of any size mean the same, and what is kept stays within the limit.
pub fn sse(data: &[u8]) {
    const LIMIT: usize = 256;
    let whole = replay::sse(LIMIT, [data]);
    assert_eq!(replay::sse(LIMIT, data.chunks(1)), whole, "byte by byte");
    assert_eq!(replay::sse(LIMIT, pieces(data)), whole, "in pieces");
    for (name, text) in whole.into_iter().flatten() {
        // What is not UTF-8 grows when it is replaced.
        assert!(name.len() + text.len() <= 3 * LIMIT, "an event is too large");
    }
}

/// An answer in OpenAI's form.
#[cfg(any(feature = "openai", feature = "decoders"))]
pub fn openai_stream(data: &[u8]) {
    check(replay::openai([data]));
    same(&replay::openai([data]), &replay::openai(pieces(data)));
}

/// An answer in Anthropic's form.
#[cfg(any(feature = "anthropic", feature = "decoders"))]
pub fn anthropic_stream(data: &[u8]) {
    check(replay::anthropic([data]));
    same(&replay::anthropic([data]), &replay::anthropic(pieces(data)));
}

/// Pieces of a size that the input itself chooses.
fn pieces(data: &[u8]) -> std::slice::Chunks<'_, u8> {
    data.chunks(data.len() % 7 + 1)
}

fn same(one: &Replayed, other: &Replayed) {
    assert_eq!(one.0, other.0, "other pieces gave other events");
    let text = |replayed: &Replayed| replayed.1.as_ref().map(ToString::to_string);
    assert_eq!(text(one), text(other), "other pieces gave another error");
}

/// `Done` is last, and comes just when nothing went wrong; a call begins once, and before its arguments.
fn check((events, error): Replayed) {
    let is_done = |event: &ChatEvent| matches!(event, ChatEvent::Done { .. });
    let done = events.iter().filter(|event| is_done(event)).count();
    assert_eq!(
        done,
        usize::from(error.is_none()),
        "an answer is complete or broken"
    );
    assert!(
        done == 0 || events.last().is_some_and(is_done),
        "something came after the end"
    );
    let mut calls = BTreeSet::new();
    let mut answer = Accumulator::default();
    for event in &events {
        match event {
            ChatEvent::ToolCallStart { index, .. } => assert!(calls.insert(*index), "a call began twice"),
            ChatEvent::ToolCallDelta { index, .. } => assert!(calls.contains(index), "arguments of no call"),
            _ => {}
        }
        answer.push(event);
    }
    if let Some(answer) = answer.finish() {
        assert_eq!(
            answer.message.tool_calls().count(),
            calls.len(),
            "a call was lost"
        );
    }
}
