//! Readers: durable consumers, and the streams of deliveries that they feed.

use super::link::{Link, wait};
use super::settings::Readers;
use super::{answer, message};
use crate::bus::{Acknowledge, BusError, Delivery, StreamKind, Subscription};
use crate::error::Classify;
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{self, AckPolicy, Consumer, DeliverPolicy, IntoConsumerConfig, pull};
use async_nats::jetstream::{self, ErrorCode, Message};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The most messages that a reader may not have acknowledged; as many as in memory.
const UNACKNOWLEDGED: i64 = 10_000;
/// How long one request for messages stands, and how often the server says in between that it does.
const REQUEST: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));
/// The pause before a reader that was cut off tries again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longer pauses are cut to this.
const LONGEST: Duration = Duration::from_hours(24 * 365);
/// The most waits that are listed; the last one holds for all further deliveries.
const WAITS: u32 = 16;

/// A reader as the server should keep it. Pure.
pub(super) fn config(stream: StreamKind, subscription: &Subscription, readers: Readers) -> pull::Config {
    let forget_after = match readers {
        Readers::Own { forget_after } => forget_after.unwrap_or_default(),
        Readers::Prepared => Duration::ZERO,
    };
    pull::Config {
        durable_name: Some(subscription.reader.clone()),
        name: Some(subscription.reader.clone()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::Explicit,
        ack_wait: subscription.ack_wait,
        backoff: (1..=subscription.max_deliver.min(WAITS))
            .map(|attempt| subscription.wait(attempt))
            .collect(),
        max_deliver: i64::from(subscription.max_deliver),
        max_ack_pending: UNACKNOWLEDGED,
        filter_subjects: subscription.filters(stream),
        inactive_threshold: forget_after,
        ..pull::Config::default()
    }
}

#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    consumers: Option<Vec<String>>,
    total: usize,
}

#[derive(Deserialize)]
struct Deleted {}

impl Link {
    /// Makes a reader, or changes it to what it should be.
    pub(super) async fn make_reader(
        &self,
        stream: StreamKind,
        subscription: &Subscription,
    ) -> Result<Consumer<pull::Config>, BusError> {
        let wanted = config(stream, subscription, self.settings.readers);
        self.make_consumer(stream.name(), &subscription.reader, wanted)
            .await
    }

    pub(super) async fn make_consumer(
        &self,
        stream: &str,
        name: &str,
        wanted: pull::Config,
    ) -> Result<Consumer<pull::Config>, BusError> {
        let call = format!("CONSUMER.CREATE.{stream}.{name}");
        let body =
            json!({"stream_name": stream, "config": wanted.clone().into_consumer_config(), "action": ""});
        let info: consumer::Info = self
            .api("subscribe", &call, &body)
            .await?
            .map_err(|error| answer::refusal("subscribe", &error))?;
        Ok(Consumer::new(wanted, info, self.jetstream.clone()))
    }

    /// A reader that somebody else has made.
    async fn find_reader(
        &self,
        stream: StreamKind,
        reader: &str,
    ) -> Result<Consumer<pull::Config>, BusError> {
        let call = format!("CONSUMER.INFO.{}.{reader}", stream.name());
        let info: consumer::Info = self
            .api("subscribe", &call, &json!({}))
            .await?
            .map_err(|error| answer::refusal("subscribe", &error))?;
        // Its settings are the server's; the client needs only the name.
        Ok(Consumer::new(
            pull::Config::default(),
            info,
            self.jetstream.clone(),
        ))
    }

    pub(super) async fn remove_reader(&self, stream: StreamKind, reader: &str) -> Result<(), BusError> {
        let call = format!("CONSUMER.DELETE.{}.{reader}", stream.name());
        let removed = self.api::<Deleted>("remove a reader", &call, &json!({})).await?;
        match removed {
            Ok(Deleted {}) => Ok(()),
            Err(error) if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND => Ok(()),
            Err(error) => Err(answer::refusal("remove a reader", &error)),
        }
    }

    pub(super) async fn reader_names(&self, stream: StreamKind) -> Result<Vec<String>, BusError> {
        let call = format!("CONSUMER.NAMES.{}", stream.name());
        let mut found = Vec::new();
        loop {
            let page: Names = self
                .api("list readers", &call, &json!({"offset": found.len()}))
                .await?
                .map_err(|error| answer::refusal("list readers", &error))?;
            let names = page.consumers.unwrap_or_default();
            let last = names.is_empty();
            found.extend(names);
            if last || found.len() >= page.total {
                return Ok(found);
            }
        }
    }

    async fn reader(
        &self,
        stream: StreamKind,
        subscription: &Subscription,
    ) -> Result<Consumer<pull::Config>, BusError> {
        match self.settings.readers {
            Readers::Own { .. } => self.make_reader(stream, subscription).await,
            Readers::Prepared => self.find_reader(stream, &subscription.reader).await,
        }
    }
}

/// Asks for one message at a time: what was not asked for waits at the server, where its time to be acknowledged does not run.
pub(super) async fn requests(consumer: &Consumer<pull::Config>) -> Result<pull::Stream, BusError> {
    let (expires, heartbeat) = REQUEST;
    let requests = consumer.stream().max_messages_per_batch(1);
    let requests = requests.expires(expires).heartbeat(heartbeat).messages();
    requests.await.map_err(|error| BusError::Unavailable {
        step: "subscribe",
        source: Box::new(error),
    })
}

/// One stream's part of a subscription.
struct Feed {
    link: Arc<Link>,
    stream: StreamKind,
    subscription: Subscription,
    /// None when it has to be asked for again.
    requests: Option<pull::Stream>,
    pause: Duration,
    ended: bool,
}

type Deliveries = BoxStream<'static, Result<Delivery, BusError>>;

pub(super) async fn open(
    link: &Arc<Link>,
    stream: StreamKind,
    subscription: &Subscription,
) -> Result<Deliveries, BusError> {
    let consumer = link.reader(stream, subscription).await?;
    let feed = Feed {
        link: Arc::clone(link),
        stream,
        subscription: subscription.clone(),
        requests: Some(requests(&consumer).await?),
        pause: FIRST_PAUSE,
        ended: false,
    };
    Ok(stream::unfold(feed, Feed::step).boxed())
}

impl Feed {
    async fn step(mut self) -> Option<(Result<Delivery, BusError>, Self)> {
        if self.ended {
            return None;
        }
        let next = self.next().await;
        self.ended = next.is_err();
        Some((next, self))
    }

    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            let Some(requests) = &mut self.requests else {
                self.pause = wait(self.pause).await;
                self.reopen().await?;
                continue;
            };
            match requests.next().await {
                Some(Ok(message)) => {
                    self.pause = FIRST_PAUSE;
                    if let Some(delivery) = self.delivery(message).await {
                        return Ok(delivery);
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(reader = self.subscription.reader, %error, "a reader was cut off");
                    self.requests = None;
                }
                None => self.requests = None,
            }
        }
    }

    async fn reopen(&mut self) -> Result<(), BusError> {
        let opened = async {
            let consumer = self.link.reader(self.stream, &self.subscription).await?;
            requests(&consumer).await
        };
        match opened.await {
            Ok(requests) => self.requests = Some(requests),
            Err(error) if error.retry().is_worthwhile() => {
                tracing::warn!(
                    reader = self.subscription.reader,
                    error = crate::error::chain(&error),
                    "a reader is cut off"
                );
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The event in a message. What is none is counted and done with: not even the dead letters keep what anybody can send.
    async fn delivery(&self, message: Message) -> Option<Delivery> {
        let decoded = message::decode(&message.subject, &message.payload);
        let attempt = message.info().map_or(1, |info| info.delivered);
        let settle = Handle::of(&self.link, &message)?;
        match decoded {
            Ok(envelope) => Some(Delivery {
                envelope,
                attempt: u32::try_from(attempt).unwrap_or(1),
                settle: Box::new(settle),
            }),
            Err(reason) => {
                self.link.count_malformed();
                tracing::debug!(subject = %message.subject, reason, "a malformed event was dropped");
                // When this is lost the message comes again, and is dropped again.
                let _ = Box::new(settle).ack().await;
                None
            }
        }
    }
}

/// One delivery of one message.
pub(super) struct Handle {
    link: Arc<Link>,
    reply: String,
}

impl Handle {
    /// None when the message is not one that can be acknowledged.
    pub(super) fn of(link: &Arc<Link>, message: &jetstream::Message) -> Option<Self> {
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
    use crate::bus::Topic;

    #[test]
    fn a_reader_is_durable_counts_and_waits_longer_each_time() {
        let subscription = Subscription {
            reader: "router".to_owned(),
            topics: vec![Topic::AgentRunCompleted, Topic::AgentStreamChunk],
            instance: None,
            key: None,
            ack_wait: Duration::from_secs(30),
            max_deliver: 4,
        };
        let forget_after = Some(Duration::from_mins(10));
        let found = config(StreamKind::Work, &subscription, Readers::Own { forget_after });
        let wanted = pull::Config {
            durable_name: Some("router".to_owned()),
            name: Some("router".to_owned()),
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(30),
            backoff: [30, 60, 120, 240].map(Duration::from_secs).to_vec(),
            max_deliver: 4,
            max_ack_pending: 10_000,
            filter_subjects: vec!["sympozium.w.*.*.agent.run.completed.*".to_owned()],
            inactive_threshold: Duration::from_mins(10),
            ..pull::Config::default()
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_reason_stays_on_one_line_and_is_cut() {
        assert_eq!(one_line("a\r\nb"), "a  b");
        assert_eq!(one_line(&"x".repeat(5_000)).len(), 1_000);
    }
}
