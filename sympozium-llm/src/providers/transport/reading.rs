//! An answer's body as a stream of chat events.

use crate::providers::decode::{Assembly, Decode};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use sympozium_core::chat::ChatEvent;
use sympozium_core::error::chain;
use sympozium_core::llm::{ChatStream, LlmError};

struct Reading<D> {
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    assembly: Assembly<D>,
}

/// Reads an answer. Dropping the stream drops the body, which closes the connection.
pub(super) fn read<D: Decode>(response: reqwest::Response, decoder: D) -> ChatStream {
    let reading = Reading {
        body: response.bytes_stream().boxed(),
        assembly: Assembly::new(decoder),
    };
    stream::try_unfold(reading, Reading::next).boxed()
}

impl<D: Decode> Reading<D> {
    async fn next(mut self) -> Result<Option<(ChatEvent, Self)>, LlmError> {
        loop {
            if let Some(event) = self.assembly.next() {
                return event.map(|event| Some((event, self)));
            }
            if self.assembly.is_over() {
                return Ok(None);
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.assembly.push(&bytes),
                Some(Err(error)) => {
                    return Err(LlmError::Interrupted {
                        detail: chain(&error.without_url()),
                    });
                }
                None => self.assembly.end(),
            }
        }
    }
}
