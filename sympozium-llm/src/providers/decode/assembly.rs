//! Bytes become server-sent events, and those become chat events. Pure.

use super::scrub::Scrub;
use crate::sse::{SseDecoder, SseEvent};
use std::collections::VecDeque;
use sympozium_core::chat::ChatEvent;
use sympozium_core::llm::LlmError;

/// How the events of one wire format become chat events.
pub(in crate::providers) trait Decode: Send + 'static {
    /// Takes one event.
    fn take(&mut self, event: SseEvent, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError>;

    /// The stream has ended: completes the answer if it is complete, else says that it is not.
    fn end(&mut self, ready: &mut VecDeque<ChatEvent>) -> Result<(), LlmError>;

    /// The answer is complete; nothing that follows counts.
    fn is_done(&self) -> bool;
}

/// The error of a stream that ended too early.
pub(in crate::providers) fn ended_early() -> LlmError {
    LlmError::Interrupted {
        detail: "the stream ended before the answer was complete".to_owned(),
    }
}

/// The error of an event that is not what it should be.
pub(in crate::providers) fn protocol(scrub: &Scrub, error: &serde_json::Error) -> LlmError {
    LlmError::Protocol {
        detail: scrub.clean(&format!("an event of the stream is not valid: {error}")),
    }
}

/// An answer on its way. Whatever was complete before an error is given before the error.
#[derive(Debug)]
pub(in crate::providers) struct Assembly<D> {
    sse: SseDecoder,
    events: VecDeque<SseEvent>,
    decoder: D,
    ready: VecDeque<ChatEvent>,
    trouble: Option<LlmError>,
    /// Nothing comes any more.
    is_over: bool,
}

impl<D: Decode> Assembly<D> {
    pub(in crate::providers) fn new(decoder: D) -> Self {
        Self {
            sse: SseDecoder::default(),
            events: VecDeque::new(),
            decoder,
            ready: VecDeque::new(),
            trouble: None,
            is_over: false,
        }
    }

    /// Takes the next bytes.
    pub(in crate::providers) fn push(&mut self, bytes: &[u8]) {
        if let Err(error) = self.sse.feed(bytes, &mut self.events) {
            self.trouble = Some(LlmError::Protocol {
                detail: error.to_string(),
            });
        }
    }

    /// The bytes have ended.
    pub(in crate::providers) fn end(&mut self) {
        self.decode();
        if self.trouble.is_none() && !self.is_over {
            self.trouble = self.decoder.end(&mut self.ready).err();
        }
        self.is_over = true;
    }

    /// The next event of what was taken so far; `None` when more bytes are needed, or nothing comes any more. An error
    /// is the last thing that comes.
    pub(in crate::providers) fn next(&mut self) -> Option<Result<ChatEvent, LlmError>> {
        if self.ready.is_empty() {
            self.decode();
        }
        if let Some(event) = self.ready.pop_front() {
            return Some(Ok(event));
        }
        let trouble = self.trouble.take()?;
        self.is_over = true;
        Some(Err(trouble))
    }

    /// Nothing comes any more.
    pub(in crate::providers) fn is_over(&self) -> bool {
        self.is_over && self.ready.is_empty() && self.trouble.is_none()
    }

    fn decode(&mut self) {
        while !self.is_over
            && let Some(event) = self.events.pop_front()
        {
            if let Err(error) = self.decoder.take(event, &mut self.ready) {
                self.events.clear();
                self.trouble = Some(error);
            }
            self.is_over = self.decoder.is_done();
        }
    }
}
