//! CloudEvents 1.0 in structured JSON.

use super::{Speaker, Subject, Topic};
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

    /// Whether the source is one that may say this under this subject: the run or channel that the key names, in the
    /// same namespace, or a part of the installation, as the topic has it.
    ///
    /// The subject is what the bus checks; a source that says otherwise is a forgery or a mistake.
    pub fn check_source(&self) -> Result<(), EnvelopeError> {
        let Subject { instance, topic, key } = &self.subject;
        let agrees = match (topic.speaker(), &self.source) {
            (Speaker::Run, Source::Run(namespace, uid)) => {
                *namespace == instance.namespace && uid.to_string() == *key
            }
            (Speaker::Channel, Source::Channel(namespace, kind)) => {
                *namespace == instance.namespace && kind.as_str() == key
            }
            (Speaker::Router, Source::Part(_)) => true,
            (Speaker::Run, Source::Channel(..) | Source::Part(_))
            | (Speaker::Channel, Source::Run(..) | Source::Part(_))
            | (Speaker::Router, Source::Run(..) | Source::Channel(..)) => false,
        };
        if agrees {
            return Ok(());
        }
        Err(EnvelopeError {
            field: "source",
            text: self.source.to_string().chars().take(200).collect(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ChannelKind;
    use crate::ids::{InstanceName, InstanceRef};

    fn agrees(topic: Topic, key: &str, source: Source) -> bool {
        let instance = InstanceRef {
            namespace: Namespace::new("team").unwrap(),
            name: InstanceName::new("sre").unwrap(),
        };
        let envelope = Envelope {
            id: "1".to_owned(),
            source,
            subject: Subject::new(instance, topic, key).unwrap(),
            time: Timestamp::UNIX_EPOCH,
            traceparent: None,
            data: Value::Null,
        };
        envelope.check_source().is_ok()
    }

    #[test]
    fn only_whom_the_subject_names_may_speak() {
        let namespace = |name| Namespace::new(name).unwrap();
        let (run, other) = (RunUid::random(), RunUid::random());
        let key = run.to_string();
        for (topic, key, source, wanted) in [
            (
                Topic::AgentRunCompleted,
                key.as_str(),
                Source::Run(namespace("team"), run),
                true,
            ),
            (
                Topic::AgentRunCompleted,
                &key,
                Source::Run(namespace("team"), other),
                false,
            ),
            (
                Topic::AgentRunCompleted,
                &key,
                Source::Run(namespace("mate"), run),
                false,
            ),
            (
                Topic::AgentRunCompleted,
                &key,
                Source::Part("router".to_owned()),
                false,
            ),
            (Topic::Receipt, &key, Source::Run(namespace("team"), run), false),
            (Topic::Receipt, &key, Source::Part("router".to_owned()), true),
            (
                Topic::ChannelMessageReceived,
                "slack",
                Source::Channel(namespace("team"), ChannelKind::Slack),
                true,
            ),
            (
                Topic::ChannelMessageReceived,
                "slack",
                Source::Channel(namespace("team"), ChannelKind::Telegram),
                false,
            ),
            (
                Topic::ChannelMessageReceived,
                &key,
                Source::Run(namespace("team"), run),
                false,
            ),
        ] {
            assert_eq!(
                agrees(topic, key, source.clone()),
                wanted,
                "{topic} {key} {source}"
            );
        }
    }
}
