//! A chat platform that nobody is on.

use super::locked;
use crate::channel::{Channel, ChannelError, ChannelKind, Inbound, Outbound};
use async_trait::async_trait;
use futures::{StreamExt, stream, stream::BoxStream};
use std::sync::{Arc, Mutex};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

/// How many messages may wait to be read.
const WAITING: usize = 1024;

/// A channel that records what is sent, and receives what the test says ([`RecordingChannel::say`]).
#[derive(Debug)]
pub struct RecordingChannel {
    kind: ChannelKind,
    sent: Mutex<Vec<Outbound>>,
    fail_next: Mutex<Vec<ChannelError>>,
    sender: mpsc::Sender<Result<Inbound, ChannelError>>,
    receiver: Receiver,
}

/// Shared, so that each connection goes on where the one before ended.
type Receiver = Arc<AsyncMutex<mpsc::Receiver<Result<Inbound, ChannelError>>>>;

impl RecordingChannel {
    /// A channel that says it is of this platform.
    pub fn new(kind: ChannelKind) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            kind,
            sent: Mutex::default(),
            fail_next: Mutex::default(),
            sender,
            receiver: Arc::new(AsyncMutex::new(receiver)),
        }
    }

    /// What was sent so far, oldest first.
    pub fn sent(&self) -> Vec<Outbound> {
        locked(&self.sent).clone()
    }

    /// Makes a message (or a failure of the connection) come in. False when 1024 wait already.
    pub fn say(&self, message: Result<Inbound, ChannelError>) -> bool {
        self.sender.try_send(message).is_ok()
    }

    /// Makes a later call of `send` fail; several failures come in the order in which they were asked for.
    pub fn fail_next_send(&self, error: ChannelError) {
        locked(&self.fail_next).push(error);
    }
}

#[async_trait]
impl Channel for RecordingChannel {
    fn kind(&self) -> ChannelKind {
        self.kind
    }

    async fn inbound(&self) -> Result<BoxStream<'static, Result<Inbound, ChannelError>>, ChannelError> {
        let receiver = Some(Arc::clone(&self.receiver));
        let next = |receiver: Option<Receiver>| async move {
            let receiver = receiver?;
            let message = receiver.lock().await.recv().await?;
            // After an error there is nothing more on this connection.
            let rest = message.is_ok().then_some(receiver);
            Some((message, rest))
        };
        Ok(stream::unfold(receiver, next).boxed())
    }

    async fn send(&self, message: Outbound) -> Result<String, ChannelError> {
        let mut failures = locked(&self.fail_next);
        if !failures.is_empty() {
            return Err(failures.remove(0));
        }
        let mut sent = locked(&self.sent);
        sent.push(message);
        Ok(format!("{}-{}", self.kind, sent.len()))
    }
}
