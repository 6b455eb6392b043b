//! What a reader wants, and when what it does not acknowledge comes again. Pure.

use super::{BusError, Envelope, StreamKind, Topic};
use crate::ids::InstanceRef;
use std::time::Duration;

/// Growing pauses stop growing here, unless the reader itself asks for more time.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What a reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The reader's name: 1 to 128 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`. Durable: a reader that comes back under
    /// its name goes on where it stopped.
    pub reader: String,
    /// The topics.
    pub topics: Vec<Topic>,
    /// Only this instance; `None` = all.
    pub instance: Option<InstanceRef>,
    /// Only this key (a run UID or channel type); `None` = all.
    pub key: Option<String>,
    /// How long a delivery may stay unacknowledged before it comes again; doubled with every delivery of the same message.
    pub ack_wait: Duration,
    /// How often a message is delivered before it goes to the dead letters.
    pub max_deliver: u32,
}

impl Subscription {
    /// Whether this is a message for the reader.
    pub fn wants(&self, envelope: &Envelope) -> bool {
        let subject = &envelope.subject;
        self.topics.contains(&subject.topic)
            && self.key.as_ref().is_none_or(|key| *key == subject.key)
            && self.instance.as_ref().is_none_or(|one| *one == subject.instance)
    }

    /// How long the delivery of that number, from 1, may stay unacknowledged: `ack_wait`, doubled with every delivery, and
    /// not beyond ten minutes or `ack_wait`, whichever is longer.
    pub fn wait(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let wait = self.ack_wait.saturating_mul(1 << doublings);
        wait.min(LONGEST_WAIT.max(self.ack_wait))
    }

    /// The subjects of one stream that the reader wants, with `*` where anything will do.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sympozium_core::bus::{StreamKind, Subscription, Topic};
    /// let subscription = Subscription {
    ///     reader: "router".to_owned(),
    ///     topics: vec![Topic::AgentRunFailed, Topic::AgentStreamChunk],
    ///     instance: None,
    ///     key: None,
    ///     ack_wait: Duration::from_secs(30),
    ///     max_deliver: 5,
    /// };
    /// assert_eq!(subscription.filters(StreamKind::Work), ["sympozium.w.*.*.agent.run.failed.*"]);
    /// ```
    pub fn filters(&self, stream: StreamKind) -> Vec<String> {
        let (namespace, name) = self.instance.as_ref().map_or(("*", "*"), |instance| {
            (instance.namespace.as_str(), instance.name.as_str())
        });
        let key = self.key.as_deref().unwrap_or("*");
        let topics = self.topics.iter().filter(|topic| topic.stream() == stream);
        let mut filters: Vec<String> = topics
            .map(|topic| format!("sympozium.{}.{namespace}.{name}.{topic}.{key}", stream.token()))
            .collect();
        filters.sort_unstable();
        filters.dedup();
        filters
    }

    /// Refuses what no bus can serve.
    pub fn check(&self) -> Result<(), BusError> {
        let wrong = if !is_token(&self.reader, 128) {
            "a reader's name has 1 to 128 characters of a-z, A-Z, 0-9, `_` and `-`"
        } else if self.topics.is_empty() {
            "a reader needs a topic"
        } else if self.key.as_ref().is_some_and(|key| !is_token(key, 64)) {
            "a key has 1 to 64 characters of a-z, A-Z, 0-9, `_` and `-`"
        } else if self.max_deliver == 0 {
            "a message has to be delivered at least once"
        } else if self.ack_wait.is_zero() {
            "a reader needs time to acknowledge"
        } else {
            return Ok(());
        };
        Err(BusError::Refused {
            step: "subscribe",
            detail: wrong.to_owned(),
        })
    }
}

/// One token of a subject, or a name that becomes one.
pub(super) fn is_token(text: &str, most: usize) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=most).contains(&text.len()) && text.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{InstanceName, Namespace};

    fn subscription() -> Subscription {
        Subscription {
            reader: "r".to_owned(),
            topics: vec![Topic::AgentRunCompleted, Topic::AgentStreamChunk, Topic::Receipt],
            instance: None,
            key: None,
            ack_wait: Duration::from_secs(30),
            max_deliver: 2,
        }
    }

    #[test]
    fn a_filter_names_all_that_was_asked_for_and_nothing_else() {
        let narrow = Subscription {
            instance: Some(InstanceRef {
                namespace: Namespace::new("team").unwrap(),
                name: InstanceName::new("sre").unwrap(),
            }),
            key: Some("slack".to_owned()),
            ..subscription()
        };
        for (subscription, stream, wanted) in [
            (
                subscription(),
                StreamKind::Work,
                vec![
                    "sympozium.w.*.*.agent.run.completed.*",
                    "sympozium.w.*.*.receipt.*",
                ],
            ),
            (
                subscription(),
                StreamKind::Stream,
                vec!["sympozium.s.*.*.agent.stream.chunk.*"],
            ),
            (
                narrow,
                StreamKind::Work,
                vec![
                    "sympozium.w.team.sre.agent.run.completed.slack",
                    "sympozium.w.team.sre.receipt.slack",
                ],
            ),
        ] {
            assert_eq!(subscription.filters(stream), wanted);
        }
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits = |secs, attempts: &[u32]| -> Vec<u64> {
            let subscription = Subscription {
                ack_wait: Duration::from_secs(secs),
                ..subscription()
            };
            attempts
                .iter()
                .map(|attempt| subscription.wait(*attempt).as_secs())
                .collect()
        };
        assert_eq!(
            waits(30, &[0, 1, 2, 3, 5, 6, 1000]),
            [30, 30, 60, 120, 480, 600, 600]
        );
        assert_eq!(waits(3_600, &[1, 2]), [3_600, 3_600]);
    }

    #[test]
    fn senseless_subscriptions_are_refused() {
        subscription().check().unwrap();
        for wrong in [
            Subscription {
                reader: String::new(),
                ..subscription()
            },
            Subscription {
                reader: "a.b".to_owned(),
                ..subscription()
            },
            Subscription {
                topics: vec![],
                ..subscription()
            },
            Subscription {
                key: Some("*".to_owned()),
                ..subscription()
            },
            Subscription {
                max_deliver: 0,
                ..subscription()
            },
            Subscription {
                ack_wait: Duration::ZERO,
                ..subscription()
            },
        ] {
            assert!(
                matches!(wrong.check(), Err(BusError::Refused { .. })),
                "{wrong:?}"
            );
        }
    }
}
