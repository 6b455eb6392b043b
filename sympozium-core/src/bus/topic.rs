//! What is talked about, and under which subject. Pure.

use crate::ids::{InstanceName, InstanceRef, Namespace};
use std::{fmt, str::FromStr};

/// Which stream a topic belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Must be acted on once: `sympozium.w.…`, kept 7 days.
    Work,
    /// For watching only: `sympozium.s.…`, kept 1 hour.
    Stream,
}

impl StreamKind {
    /// Its token in a subject.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Work => "w",
            Self::Stream => "s",
        }
    }
}

impl StreamKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Work, Self::Stream];

    /// The name of the JetStream stream that keeps it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Work => "sympozium-work",
            Self::Stream => "sympozium-stream",
        }
    }
}

/// Who says something on a topic. A message on that topic from anybody else is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// A run, through its bridge. The key is its UID.
    Run,
    /// A chat connection. The key is its type.
    Channel,
    /// The installation itself: the routers of the operator.
    Router,
}

macro_rules! topics {
    ($($(#[$doc:meta])* $name:ident $text:literal $stream:ident $speaker:ident),* $(,)?) => {
        /// What is talked about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Topic { $($(#[$doc])* $name),* }

        impl Topic {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name, such as `agent.run.completed`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The stream that it is kept in.
            pub const fn stream(self) -> StreamKind {
                match self { $(Self::$name => StreamKind::$stream),* }
            }

            /// Who says something on it.
            pub const fn speaker(self) -> Speaker {
                match self { $(Self::$name => Speaker::$speaker),* }
            }
        }
    };
}

topics! {
    /// An agent left a result with `status: success`.
    AgentRunCompleted "agent.run.completed" Work Run,
    /// An agent left a result with `status: error`.
    AgentRunFailed "agent.run.failed" Work Run,
    /// What an agent is doing.
    AgentStatusUpdate "agent.status.update" Stream Run,
    /// A piece of an agent's answer.
    AgentStreamChunk "agent.stream.chunk" Stream Run,
    /// An agent wants another run.
    AgentSpawnRequest "agent.spawn.request" Work Run,
    /// More input for a run.
    AgentFollowup "agent.followup" Work Router,
    /// A command was asked for.
    ToolExecRequest "tool.exec.request" Work Run,
    /// A command has ended.
    ToolExecResult "tool.exec.result" Work Run,
    /// A tool call waits for a person.
    ToolApprovalRequest "tool.approval.request" Work Run,
    /// A person answered.
    ToolApprovalResponse "tool.approval.response" Work Router,
    /// An agent wants to send a chat message.
    MessageRequest "message.request" Work Run,
    /// A chat message came in.
    ChannelMessageReceived "channel.message.received" Work Channel,
    /// A chat message is to go out.
    ChannelMessageSend "channel.message.send" Work Router,
    /// How a chat connection is.
    ChannelHealthUpdate "channel.health.update" Stream Channel,
    /// An agent wants to change a schedule.
    ScheduleUpsert "schedule.upsert" Work Run,
    /// What became of an agent's request.
    Receipt "receipt" Work Router,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Topic {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        Self::ALL
            .iter()
            .copied()
            .find(|t| t.as_str() == text)
            .ok_or_else(|| SubjectError(text.to_owned()))
    }
}

/// A text that is no subject of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Sympozium subject")]
pub struct SubjectError(pub String);

/// Where a message goes: `sympozium.{w|s}.<namespace>.<instance>.<topic…>.<key>`.
///
/// Consumers take namespace, instance and key from here, never from the message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Whose.
    pub instance: InstanceRef,
    /// What about.
    pub topic: Topic,
    /// A run UID, or a channel type.
    pub key: String,
}

impl Subject {
    /// Checks the key: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub fn new(instance: InstanceRef, topic: Topic, key: impl Into<String>) -> Result<Self, SubjectError> {
        let key = key.into();
        let fine = (1..=64).contains(&key.len())
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if fine {
            Ok(Self { instance, topic, key })
        } else {
            Err(SubjectError(key))
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instance: InstanceRef { namespace, name },
            topic,
            key,
        } = self;
        write!(
            f,
            "sympozium.{}.{namespace}.{name}.{topic}.{key}",
            topic.stream().token()
        )
    }
}

impl FromStr for Subject {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let bad = || SubjectError(text.to_owned());
        let rest = text.strip_prefix("sympozium.").ok_or_else(bad)?;
        let (rest, key) = rest.rsplit_once('.').ok_or_else(bad)?;
        let [stream, namespace, instance, topic] =
            <[&str; 4]>::try_from(rest.splitn(4, '.').collect::<Vec<_>>()).map_err(|_| bad())?;
        let topic: Topic = topic.parse().map_err(|_| bad())?;
        if topic.stream().token() != stream {
            return Err(bad());
        }
        let instance = InstanceRef {
            namespace: Namespace::new(namespace).map_err(|_| bad())?,
            name: InstanceName::new(instance).map_err(|_| bad())?,
        };
        Self::new(instance, topic, key).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_survives_its_subject() {
        let instance = InstanceRef {
            namespace: Namespace::new("team").unwrap(),
            name: InstanceName::new("sre").unwrap(),
        };
        for topic in Topic::ALL {
            let subject = Subject::new(instance.clone(), *topic, "9b1c-x").unwrap();
            assert_eq!(subject.to_string().parse::<Subject>().unwrap(), subject);
        }
    }

    #[test]
    fn foreign_and_forged_subjects_are_refused() {
        for text in [
            "",
            "sympozium",
            "sympozium.w.a.b.agent.run.completed",
            "sympozium.s.a.b.agent.run.completed.r",
            "sympozium.w.A.b.agent.run.completed.r",
            "sympozium.w.a.b.agent.run.*.r",
            "sympozium.w.a.b.agent.run.completed.>",
            "other.w.a.b.agent.run.completed.r",
        ] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
