//! Events as messages of NATS, and back. Pure.

use crate::bus::{BusError, Envelope};
use async_nats::header::{HeaderMap, NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use bytes::Bytes;
use std::str::FromStr;

/// A message to be stored.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) subject: String,
    pub(super) id: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

impl Outgoing {
    /// The headers by which the server recognises a repetition, and a stream of another's that has taken our subjects.
    pub(super) fn headers(&self, stream: &str) -> Result<HeaderMap, BusError> {
        let mut headers = self.headers.clone();
        headers.insert(NATS_MESSAGE_ID, header("id", &self.id)?);
        headers.insert(NATS_EXPECTED_STREAM, header("stream", stream)?);
        Ok(headers)
    }
}

/// A header's value; line breaks would begin another header.
pub(super) fn header(name: &str, value: &str) -> Result<async_nats::HeaderValue, BusError> {
    async_nats::HeaderValue::from_str(value).map_err(|_| BusError::Refused {
        step: "publish",
        detail: format!("the {name} has characters that a header can't hold"),
    })
}

/// An event as it is published.
pub(super) fn encode(envelope: &Envelope) -> Result<Outgoing, BusError> {
    let refused = |detail: String| BusError::Refused {
        step: "publish",
        detail,
    };
    envelope
        .check_source()
        .map_err(|error| refused(error.to_string()))?;
    let payload = serde_json::to_vec(envelope).map_err(|error| refused(error.to_string()))?;
    Ok(Outgoing {
        subject: envelope.subject.to_string(),
        id: envelope.id.clone(),
        headers: HeaderMap::new(),
        payload: payload.into(),
    })
}

/// The event in a message, if it is one: the bus has checked who may publish under the subject, so an envelope that names
/// another subject or a source that may not speak there is a forgery.
pub(super) fn decode(subject: &str, payload: &[u8]) -> Result<Envelope, String> {
    let envelope: Envelope = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if envelope.subject.to_string() != subject {
        return Err("the envelope names another subject".to_owned());
    }
    envelope.check_source().map_err(|error| error.to_string())?;
    Ok(envelope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Source, Subject, Topic};
    use crate::ids::{InstanceName, InstanceRef, Namespace, RunUid};
    use serde_json::json;

    fn envelope() -> Envelope {
        let (namespace, run) = (Namespace::new("team").unwrap(), RunUid(uuid::Uuid::nil()));
        let instance = InstanceRef {
            namespace: namespace.clone(),
            name: InstanceName::new("sre").unwrap(),
        };
        Envelope {
            id: "a".to_owned(),
            source: Source::Run(namespace, run),
            subject: Subject::new(instance, Topic::AgentRunCompleted, run.to_string()).unwrap(),
            time: jiff::Timestamp::UNIX_EPOCH,
            traceparent: None,
            data: json!({"n": 1}),
        }
    }

    #[test]
    fn an_event_survives_its_message() {
        let outgoing = encode(&envelope()).unwrap();
        assert_eq!(decode(&outgoing.subject, &outgoing.payload).unwrap(), envelope());
        let headers = outgoing.headers("sympozium-work").unwrap();
        assert_eq!(headers.get(NATS_MESSAGE_ID).unwrap().as_str(), "a");
        assert_eq!(
            headers.get(NATS_EXPECTED_STREAM).unwrap().as_str(),
            "sympozium-work"
        );
    }

    #[test]
    fn an_id_that_would_begin_another_header_is_refused() {
        let outgoing = encode(&Envelope {
            id: "a\r\nNats-Rollup: all".to_owned(),
            ..envelope()
        });
        assert!(outgoing.unwrap().headers("s").is_err());
    }

    #[test]
    fn what_is_no_event_or_comes_from_another_is_malformed() {
        let outgoing = encode(&envelope()).unwrap();
        let other = outgoing.subject.replace("team", "mate");
        assert!(decode(&other, &outgoing.payload).is_err());
        // What the server itself stores when a publisher names the subject of another as the place for its answer.
        assert!(decode(&outgoing.subject, br#"{"stream":"sympozium-work","seq":1}"#).is_err());
        let forged = Envelope {
            source: Source::Part("router".to_owned()),
            ..envelope()
        };
        assert!(encode(&forged).is_err());
        assert!(decode(&outgoing.subject, &serde_json::to_vec(&forged).unwrap()).is_err());
    }
}
