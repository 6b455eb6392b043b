//! Recorded streams, decoded without a network: for tests and fuzzing.

use super::{Assembly, Decode, Scrub};
use crate::sse::{SseDecoder, SseEvent};
use std::collections::VecDeque;
use sympozium_core::chat::ChatEvent;
use sympozium_core::llm::LlmError;

/// The events of a stream that arrives in these pieces, and what ended it if not its end.
pub(crate) type Replayed = (Vec<ChatEvent>, Option<LlmError>);

/// An answer in OpenAI's form.
#[cfg(any(feature = "openai", feature = "decoders"))]
pub(crate) fn openai<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Replayed {
    replay(super::openai::Decoder::new(Scrub::new(None)), pieces)
}

/// An answer in Anthropic's form.
#[cfg(any(feature = "anthropic", feature = "decoders"))]
pub(crate) fn anthropic<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Replayed {
    replay(super::anthropic::Decoder::new(Scrub::new(None)), pieces)
}

/// The events alone, as name and data; `None` where one is larger than `limit`.
pub(crate) fn sse<'a>(
    limit: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Option<Vec<(String, String)>> {
    let (mut decoder, mut events) = (SseDecoder::with_limit(limit), VecDeque::new());
    for piece in pieces {
        decoder.feed(piece, &mut events).ok()?;
    }
    let plain = |event: SseEvent| (event.name, event.data);
    Some(events.into_iter().map(plain).collect())
}

fn replay<'a>(decoder: impl Decode, pieces: impl IntoIterator<Item = &'a [u8]>) -> Replayed {
    let mut assembly = Assembly::new(decoder);
    let mut events = Vec::new();
    let mut drain = |assembly: &mut Assembly<_>| loop {
        match assembly.next() {
            Some(Ok(event)) => events.push(event),
            Some(Err(error)) => return Some(error),
            None => return None,
        }
    };
    for piece in pieces {
        assembly.push(piece);
        if let Some(error) = drain(&mut assembly) {
            return (events, Some(error));
        }
        if assembly.is_over() {
            return (events, None);
        }
    }
    assembly.end();
    let error = drain(&mut assembly);
    (events, error)
}
