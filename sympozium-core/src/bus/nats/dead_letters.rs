//! Dead letters: the server says when it gives a message up, and a stream keeps that until it is acted on here.
//!
//! A dead letter is the message as it was, under `sympozium-dead.` and the rest of its subject, with the reader, the number
//! of deliveries and the reason in its headers. Its id is derived from the notice, so that a repeated notice makes none twice.

use super::link::{Link, wait};
use super::message::{self, Outgoing, header};
use super::reader::{Handle, requests};
use super::streams::NOTICES;
use crate::bus::dead_letter::DEAD;
use crate::bus::{Acknowledge, BusError, DeadLetter, StreamKind};
use crate::error::{Classify, chain};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageError};
use futures::StreamExt;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const READER: &str = "Sympozium-Reader";
const ATTEMPTS: &str = "Sympozium-Attempts";
const REASON: &str = "Sympozium-Reason";
/// The reader of the notices.
const KEEPER: &str = "dead-letters";
const PAUSE: Duration = Duration::from_millis(100);

/// What the server says when it gives a message up: the fields that its two kinds of notice share, and the reason of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Notice {
    stream: String,
    consumer: String,
    stream_seq: u64,
    deliveries: u64,
    #[serde(default)]
    reason: Option<String>,
}

impl Notice {
    fn reason(&self) -> String {
        self.reason
            .clone()
            .filter(|reason| !reason.is_empty())
            .unwrap_or_else(|| format!("delivered {} times and never acknowledged", self.deliveries))
    }

    /// The dead letter of a message that was given up; none of what is no event.
    fn letter(&self, message: &StreamMessage) -> Result<Option<Outgoing>, BusError> {
        let Some(rest) = message.subject.strip_prefix("sympozium.") else {
            return Ok(None);
        };
        if message::decode(&message.subject, &message.payload).is_err() {
            return Ok(None);
        }
        let mut headers = HeaderMap::new();
        headers.insert(READER, header("reader", &self.consumer)?);
        headers.insert(ATTEMPTS, header("number", &self.deliveries.to_string())?);
        headers.insert(REASON, header("reason", &self.reason())?);
        Ok(Some(Outgoing {
            subject: format!("{DEAD}.{rest}"),
            id: format!("{}.{}.{}", self.stream, self.stream_seq, self.consumer),
            headers,
            payload: message.payload.clone(),
        }))
    }
}

/// The dead letter in a message of the stream.
fn read(message: &StreamMessage) -> Option<DeadLetter> {
    let text = |name: &str| Some(message.headers.get(name)?.as_str().to_owned());
    let rest = message.subject.strip_prefix(DEAD)?;
    Some(DeadLetter {
        reader: text(READER)?,
        envelope: message::decode(&format!("sympozium{rest}"), &message.payload).ok()?,
        attempts: text(ATTEMPTS)?.parse().ok()?,
        reason: text(REASON)?,
    })
}

pub(super) async fn keep(link: &Arc<Link>, stop: &CancellationToken) -> Result<(), BusError> {
    let kept = async {
        let mut pause = PAUSE;
        loop {
            match follow(link, &mut pause).await {
                Ok(()) => {}
                Err(error) if error.retry().is_worthwhile() => {
                    tracing::warn!(error = chain(&error), "dead letters are not kept at the moment");
                }
                Err(error) => return error,
            }
            pause = wait(pause).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = link.stop.cancelled() => Ok(()),
        error = kept => Err(error),
    }
}

/// Acts on notices until the reader is cut off.
async fn follow(link: &Arc<Link>, pause: &mut Duration) -> Result<(), BusError> {
    let streams = StreamKind::ALL.map(StreamKind::name);
    let filters = NOTICES
        .iter()
        .flat_map(|notice| streams.map(|stream| format!("{notice}.{stream}.>")));
    let wanted = pull::Config {
        durable_name: Some(KEEPER.to_owned()),
        name: Some(KEEPER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(30),
        filter_subjects: filters.collect(),
        ..pull::Config::default()
    };
    let consumer = link.make_consumer(DEAD, KEEPER, wanted).await?;
    let mut notices = requests(&consumer).await?;
    while let Some(Ok(notice)) = notices.next().await {
        *pause = PAUSE;
        let Some(handle) = Handle::of(link, &notice) else {
            continue;
        };
        // A notice that can't be read is not ours, and comes again for nobody.
        if let Ok(found) = serde_json::from_slice::<Notice>(&notice.payload) {
            act(link, &found).await?;
        }
        Box::new(handle).ack().await?;
    }
    Ok(())
}

async fn act(link: &Link, notice: &Notice) -> Result<(), BusError> {
    let ours = StreamKind::ALL
        .map(StreamKind::name)
        .contains(&notice.stream.as_str());
    if !ours {
        return Ok(());
    }
    let Some(message) = get(link, &notice.stream, Find::Number(notice.stream_seq)).await? else {
        return Ok(());
    };
    match notice.letter(&message)? {
        Some(letter) => link.store(DEAD, letter).await,
        None => Ok(()),
    }
}

/// Which message of a stream.
enum Find {
    Number(u64),
    /// The first dead letter that is not before this number.
    LetterFrom(u64),
}

/// A message of a stream, unless it has aged.
async fn get(link: &Link, stream: &str, find: Find) -> Result<Option<StreamMessage>, BusError> {
    const STEP: &str = "read a stored message";
    let subject = format!("$JS.API.STREAM.MSG.GET.{stream}");
    let asked = async {
        let none = |error: &dyn std::error::Error| BusError::Unavailable {
            step: STEP,
            source: error.to_string().into(),
        };
        let stream = link
            .jetstream
            .get_stream_no_info(stream)
            .await
            .map_err(|error| none(&error))?;
        let found = match find {
            Find::Number(number) => stream.get_raw_message(number).await,
            Find::LetterFrom(number) => {
                let builder = stream.raw_message_builder().sequence(number);
                builder.next_by_subject(format!("{DEAD}.>")).send().await
            }
        };
        found_or_none(STEP, found)
    };
    link.exchange(STEP, &subject, asked).await
}

fn found_or_none(
    step: &'static str,
    found: Result<StreamMessage, RawMessageError>,
) -> Result<Option<StreamMessage>, BusError> {
    match found {
        Ok(message) => Ok(Some(message)),
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
        Err(error) => Err(BusError::Unavailable {
            step,
            source: Box::new(error),
        }),
    }
}

pub(super) async fn list(link: &Link, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
    let mut letters = Vec::new();
    let mut from = 1;
    while letters.len() < limit {
        let Some(message) = get(link, DEAD, Find::LetterFrom(from)).await? else {
            break;
        };
        from = message.sequence.saturating_add(1);
        letters.extend(read(&message));
    }
    Ok(letters)
}
