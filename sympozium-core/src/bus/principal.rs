//! Who takes part in the bus, and what each may do there, subject by subject. Pure.
//!
//! A list that allows something denies all the rest, and an empty list allows everything; so no list here is empty.

use super::dead_letter::DEAD;
use super::{Speaker, StreamKind, Topic};
use crate::channel::ChannelKind;
use crate::ids::{InstanceRef, RunUid};
use uuid::Uuid;

/// Somebody who connects with a pod's token. The gateway is none of them: it answers for the tokens, by keys of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// The bridge of one run.
    Bridge {
        /// The run's instance.
        instance: InstanceRef,
        /// The run.
        run: RunUid,
        /// The UID of its pod.
        pod: Uuid,
    },
    /// The connection of one instance to one chat platform.
    Channel {
        /// The instance.
        instance: InstanceRef,
        /// The platform.
        kind: ChannelKind,
        /// The UID of its pod.
        pod: Uuid,
    },
    /// The operator, with its routers: alone makes streams and readers, and alone speaks to runs and channels.
    Operator {
        /// The UID of its pod.
        pod: Uuid,
    },
    /// The API server: reads along through a reader of its own, says nothing.
    ApiServer {
        /// The UID of its pod.
        pod: Uuid,
    },
}

/// What a principal may do: subjects, with `*` for one token and `>` for all that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Where it may publish.
    pub publish: Vec<String>,
    /// What it may subscribe to.
    pub subscribe: Vec<String>,
}

impl Principal {
    /// The name under which the server knows its connections: `<namespace>/runs/<uid>`,
    /// `<namespace>/<instance>/channels/<type>`, `operator` or `apiserver`.
    pub fn name(&self) -> String {
        match self {
            Self::Bridge { instance, run, .. } => format!("{}/runs/{run}", instance.namespace),
            Self::Channel { instance, kind, .. } => format!("{instance}/channels/{kind}"),
            Self::Operator { .. } => "operator".to_owned(),
            Self::ApiServer { .. } => "apiserver".to_owned(),
        }
    }

    /// The UID of its pod: the token after `_INBOX.` under which its answers come.
    pub fn pod(&self) -> Uuid {
        match self {
            Self::Bridge { pod, .. }
            | Self::Channel { pod, .. }
            | Self::Operator { pod }
            | Self::ApiServer { pod } => *pod,
        }
    }

    /// The one reader through which it may read; the operator may use any.
    pub fn reader(&self) -> Option<String> {
        match self {
            Self::Bridge { run, .. } => Some(run.to_string()),
            // No name of Kubernetes has an underscore, so no two of these are the same.
            Self::Channel { instance, kind, .. } => {
                Some(format!("channel_{}_{}_{kind}", instance.namespace, instance.name))
            }
            Self::ApiServer { pod } => Some(format!("apiserver_{pod}")),
            Self::Operator { .. } => None,
        }
    }

    /// What it may do.
    pub fn permissions(&self) -> Permissions {
        let publish = match self {
            Self::Bridge { instance, run, .. } => {
                let mut publish = speaks(Speaker::Run, Some(instance), &run.to_string());
                publish.extend(reads(StreamKind::Work, &run.to_string()));
                publish
            }
            Self::Channel { instance, kind, .. } => {
                let mut publish = speaks(Speaker::Channel, Some(instance), kind.as_str());
                publish.extend(
                    self.reader()
                        .iter()
                        .flat_map(|reader| reads(StreamKind::Work, reader)),
                );
                publish
            }
            Self::Operator { .. } => operator(),
            Self::ApiServer { .. } => self.reader().iter().flat_map(|reader| watches(reader)).collect(),
        };
        Permissions {
            publish,
            subscribe: vec![format!("_INBOX.{}.>", self.pod())],
        }
    }
}

/// The subjects of all topics of a speaker, one by one.
fn speaks(speaker: Speaker, instance: Option<&InstanceRef>, key: &str) -> Vec<String> {
    let (namespace, name) = instance.map_or(("*", "*"), |instance| {
        (instance.namespace.as_str(), instance.name.as_str())
    });
    let topics = Topic::ALL.iter().filter(|topic| topic.speaker() == speaker);
    topics
        .map(|topic| {
            format!(
                "sympozium.{}.{namespace}.{name}.{topic}.{key}",
                topic.stream().token()
            )
        })
        .collect()
}

/// What it takes to read through a reader that somebody else has made.
fn reads(stream: StreamKind, reader: &str) -> [String; 3] {
    let stream = stream.name();
    [
        format!("$JS.API.CONSUMER.INFO.{stream}.{reader}"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{reader}"),
        format!("$JS.ACK.{stream}.{reader}.>"),
    ]
}

/// What it takes to make one reader, of both streams, and to read through it.
fn watches(reader: &str) -> Vec<String> {
    let of = |stream: StreamKind| {
        let mut subjects = vec![
            format!("$JS.API.CONSUMER.CREATE.{}.{reader}", stream.name()),
            format!("$JS.API.CONSUMER.DELETE.{}.{reader}", stream.name()),
        ];
        subjects.extend(reads(stream, reader));
        subjects
    };
    StreamKind::ALL.into_iter().flat_map(of).collect()
}

fn operator() -> Vec<String> {
    let mut publish = speaks(Speaker::Router, None, "*");
    publish.push(format!("{DEAD}.>"));
    for stream in [StreamKind::Work.name(), StreamKind::Stream.name(), DEAD] {
        publish.extend(
            ["INFO", "CREATE", "UPDATE", "MSG.GET"].map(|call| format!("$JS.API.STREAM.{call}.{stream}")),
        );
        publish.push(format!("$JS.API.CONSUMER.NAMES.{stream}"));
        publish.extend(
            ["CREATE", "DELETE", "INFO", "MSG.NEXT"]
                .map(|call| format!("$JS.API.CONSUMER.{call}.{stream}.*")),
        );
        publish.push(format!("$JS.ACK.{stream}.>"));
    }
    publish
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{InstanceName, Namespace};

    fn principals() -> [Principal; 4] {
        let instance = InstanceRef {
            namespace: Namespace::new("team").unwrap(),
            name: InstanceName::new("sre").unwrap(),
        };
        let pod = Uuid::from_u128(0xb0d);
        [
            Principal::Bridge {
                instance: instance.clone(),
                run: RunUid(Uuid::from_u128(0x1)),
                pod,
            },
            Principal::Channel {
                instance,
                kind: ChannelKind::Slack,
                pod,
            },
            Principal::Operator { pod },
            Principal::ApiServer { pod },
        ]
    }

    #[test]
    fn each_may_do_what_the_table_says_subject_by_subject() {
        let rows = principals().map(|principal| {
            let Permissions { publish, subscribe } = principal.permissions();
            (principal.name(), [("publish", publish), ("subscribe", subscribe)])
        });
        insta::assert_yaml_snapshot!(rows);
    }

    #[test]
    fn no_list_is_empty_and_none_but_the_operators_has_a_wildcard_outside_its_own() {
        for principal in principals() {
            let Permissions { publish, subscribe } = principal.permissions();
            assert!(!publish.is_empty() && !subscribe.is_empty());
            if matches!(principal, Principal::Operator { .. }) {
                continue;
            }
            for subject in publish.iter().filter(|subject| subject.contains(['*', '>'])) {
                let reader = principal.reader().unwrap();
                assert!(subject.ends_with(&format!(".{reader}.>")), "{subject}");
            }
        }
    }
}
