//! How a reader says what became of a message.

use super::link::Link;
use crate::bus::{Acknowledge, BusError};
use async_nats::HeaderMap;
use async_nats::jetstream::Message;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Longer pauses are cut to this.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// One delivery of one message.
pub(super) struct Handle {
    link: Arc<Link>,
    reply: String,
}

impl Handle {
    /// None when the message is not one that can be acknowledged.
    pub(super) fn of(link: &Arc<Link>, message: &Message) -> Option<Self> {
        let reply = message.reply.as_ref()?.to_string();
        let link = Arc::clone(link);
        Some(Self { link, reply })
    }

    /// Says what became of the message, and waits until the server has noted it.
    async fn settle(&self, step: &'static str, word: Bytes) -> Result<(), BusError> {
        let noted = self.link.ask(step, &self.reply, HeaderMap::new(), word);
        noted.await.map(|_| ())
    }
}

/// A reason as part of one line, of bounded length.
fn one_line(reason: &str) -> String {
    let line = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(1_000).collect()
}

#[async_trait]
impl Acknowledge for Handle {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        self.settle("acknowledge", Bytes::from_static(b"+ACK")).await
    }

    async fn retry(self: Box<Self>, after: Duration) -> Result<(), BusError> {
        // The shortest pause, because the server takes none as "at once, before what is on its way".
        let nanos = after.clamp(Duration::from_millis(1), LONGEST).as_nanos();
        self.settle("retry", format!("-NAK {{\"delay\":{nanos}}}").into())
            .await
    }

    async fn terminate(self: Box<Self>, reason: String) -> Result<(), BusError> {
        self.settle("terminate", format!("+TERM {}", one_line(&reason)).into())
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_stays_on_one_line_and_is_cut() {
        assert_eq!(one_line("a\r\nb"), "a  b");
        assert_eq!(one_line(&"x".repeat(5_000)).len(), 1_000);
    }
}
