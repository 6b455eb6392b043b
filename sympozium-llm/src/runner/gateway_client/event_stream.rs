//! Server-sent events of `POST /v1/chat` as [`GatewayEvent`]s.
//!
//! [`Decoder`] is pure; [`EventStream`] feeds it from a response body.

use super::GatewayError;
use super::connection::Connection;
use crate::sse::{SseDecoder, SseEvent};
use bytes::Bytes;
use hyper::body::Incoming;
use serde_json::Value;
use std::collections::VecDeque;
use sympozium_core::gateway::GatewayEvent;

/// Largest single event: a tool call's arguments come in pieces, so nothing legitimate comes near it.
const MAX_EVENT: usize = 8 << 20;

pub(super) struct EventStream {
    connection: Connection,
    body: Incoming,
    decoder: Decoder,
    ready: VecDeque<GatewayEvent>,
}

impl EventStream {
    pub(super) fn new(connection: Connection, body: Incoming) -> Self {
        Self {
            connection,
            body,
            decoder: Decoder::default(),
            ready: VecDeque::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Result<Option<GatewayEvent>, GatewayError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(frame) = self.connection.frame(&mut self.body).await? else {
                return Ok(None);
            };
            if let Ok(data) = frame.into_data() {
                self.decoder.feed(&data, &mut self.ready)?;
            }
        }
    }

    /// The connection, and what is left of the body.
    pub(super) fn into_parts(self) -> (Connection, Incoming) {
        (self.connection, self.body)
    }
}

#[derive(Debug)]
struct Decoder {
    sse: SseDecoder,
    raw: VecDeque<SseEvent>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            sse: SseDecoder::with_limit(MAX_EVENT),
            raw: VecDeque::new(),
        }
    }
}

impl Decoder {
    fn feed(&mut self, bytes: &Bytes, ready: &mut VecDeque<GatewayEvent>) -> Result<(), GatewayError> {
        let fed = self.sse.feed(bytes, &mut self.raw);
        for event in self.raw.drain(..) {
            ready.extend(meaning(event)?);
        }
        fed.map_err(|error| protocol(error.to_string()))
    }
}

/// What an event says; `None` for events of a newer gateway, which are not for us.
fn meaning(event: SseEvent) -> Result<Option<GatewayEvent>, GatewayError> {
    let SseEvent { name, data } = event;
    if !["chat", "retry", "problem"].contains(&name.as_str()) {
        return Ok(None);
    }
    let data: Value = serde_json::from_str(&data)
        .map_err(|error| protocol(format!("the data of a {name} event: {error}")))?;
    let whole = serde_json::json!({"event": name, "data": data});
    let event =
        serde_json::from_value(whole).map_err(|error| protocol(format!("a {name} event: {error}")))?;
    Ok(Some(event))
}

fn protocol(detail: String) -> GatewayError {
    GatewayError::Protocol { detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write;
    use sympozium_core::chat::ChatEvent;
    use sympozium_core::gateway::{Problem, ProblemKind, RetryNotice};

    fn decode(chunks: &[&[u8]]) -> Result<Vec<GatewayEvent>, GatewayError> {
        let (mut decoder, mut ready) = (Decoder::default(), VecDeque::new());
        for chunk in chunks {
            decoder.feed(&Bytes::copy_from_slice(chunk), &mut ready)?;
        }
        Ok(ready.into())
    }

    fn stream() -> (String, Vec<GatewayEvent>) {
        let events = vec![
            GatewayEvent::Chat(ChatEvent::TextDelta {
                index: 0,
                text: "a\nä: \"b\"".to_owned(),
            }),
            GatewayEvent::Retry(RetryNotice {
                attempt: 1,
                after_ms: 5,
                detail: "d".to_owned(),
            }),
            GatewayEvent::Problem(Problem::new(ProblemKind::Timeout, "t")),
        ];
        let mut text = ": keep-alive\n\nevent: news\ndata: {}\n\n".to_owned();
        for (event, end) in events.iter().zip(["\n", "\r\n", "\r"]) {
            let json = serde_json::to_value(event).unwrap();
            let name = json["event"].as_str().unwrap();
            write!(text, "event: {name}{end}data:{}{end}{end}", json["data"]).unwrap();
        }
        (text, events)
    }

    #[test]
    fn broken_json_is_an_error_and_an_unfinished_event_is_none() {
        assert!(decode(&[b"event: chat\ndata: {\n\n"]).is_err());
        assert_eq!(decode(&[b"event: chat\ndata: {}"]).unwrap(), []);
    }

    proptest! {
        #[test]
        fn chunk_boundaries_may_be_anywhere(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let (text, events) = stream();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
            prop_assert_eq!(decode(&chunks).unwrap(), events);
        }

        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&[&bytes]);
        }
    }
}
