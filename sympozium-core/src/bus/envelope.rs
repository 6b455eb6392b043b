//! CloudEvents 1.0 in structured JSON.

use super::{Subject, Topic};
use crate::ids::{Namespace, RunUid};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

const TYPE_PREFIX: &str = "ai.sympozium.";

/// Who said it: `/namespaces/<ns>/runs/<uid>` or `/namespaces/<ns>/channels/<type>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A run.
    Run(Namespace, RunUid),
    /// A channel's connection, by type.
    Channel(Namespace, crate::channel::ChannelKind),
    /// A part of the installation itself: `/sympozium/<part>`.
    Part(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(namespace, uid) => write!(f, "/namespaces/{namespace}/runs/{uid}"),
            Self::Channel(namespace, kind) => write!(f, "/namespaces/{namespace}/channels/{kind}"),
            Self::Part(part) => write!(f, "/sympozium/{part}"),
        }
    }
}

impl FromStr for Source {
    type Err = EnvelopeError;
    fn from_str(text: &str) -> Result<Self, EnvelopeError> {
        let bad = || EnvelopeError {
            field: "source",
            text: text.chars().take(200).collect(),
        };
        if let Some(part) = text.strip_prefix("/sympozium/") {
            return if part.is_empty() {
                Err(bad())
            } else {
                Ok(Self::Part(part.to_owned()))
            };
        }
        let rest = text.strip_prefix("/namespaces/").ok_or_else(bad)?;
        let (namespace, rest) = rest.split_once('/').ok_or_else(bad)?;
        let namespace = Namespace::new(namespace).map_err(|_| bad())?;
        match rest.split_once('/').ok_or_else(bad)? {
            ("runs", uid) => Ok(Self::Run(namespace, uid.parse().map_err(|_| bad())?)),
            ("channels", kind) => crate::channel::ChannelKind::ALL
                .into_iter()
                .find(|k| k.as_str() == kind)
                .map(|kind| Self::Channel(namespace, kind))
                .ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Envelope {
    /// Its identity; derived, so that a repetition has the same.
    pub id: String,
    /// Who said it.
    pub source: Source,
    /// Where it goes.
    pub subject: Subject,
    /// When it was said.
    pub time: Timestamp,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// What was said; its shape depends on the topic.
    pub data: Value,
}

impl Envelope {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        self.subject.topic
    }
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
struct Wire {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default)]
    data: Value,
}

impl From<Envelope> for Wire {
    fn from(envelope: Envelope) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: envelope.id,
            source: envelope.source.to_string(),
            kind: format!("{TYPE_PREFIX}{}", envelope.subject.topic),
            subject: envelope.subject.to_string(),
            time: envelope.time,
            traceparent: envelope.traceparent,
            data: envelope.data,
        }
    }
}

impl TryFrom<Wire> for Envelope {
    type Error = EnvelopeError;
    fn try_from(wire: Wire) -> Result<Self, EnvelopeError> {
        let bad = |field, text: &str| EnvelopeError {
            field,
            text: text.chars().take(200).collect(),
        };
        if wire.specversion != "1.0" {
            return Err(bad("specversion", &wire.specversion));
        }
        if wire.id.is_empty() || wire.id.len() > 128 {
            return Err(bad("id", &wire.id));
        }
        let subject: Subject = wire.subject.parse().map_err(|_| bad("subject", &wire.subject))?;
        if wire.kind.strip_prefix(TYPE_PREFIX) != Some(subject.topic.as_str()) {
            return Err(bad("type", &wire.kind));
        }
        let source = wire.source.parse()?;
        Ok(Self {
            id: wire.id,
            source,
            subject,
            time: wire.time,
            traceparent: wire.traceparent,
            data: wire.data,
        })
    }
}

/// A field of an envelope that is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the envelope's {field} is not acceptable: {text:?}")]
pub struct EnvelopeError {
    /// Which field.
    pub field: &'static str,
    /// Its value, cut at 200 characters.
    pub text: String,
}
