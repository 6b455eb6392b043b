//! What is left to do for a run that has ended: [`after`]. Pure.
//!
//! The status says the end at once; its pod takes a little longer: the agent may not have ended yet, and the bridge
//! drains. An identity of the run's own must live as long as the bridge does, or it would be cut off.

use super::seen::{ContainerSeen, PodSeen};
use jiff::Timestamp;
use serde::Deserialize;
use sympozium_core::run::STOP_GRACE;

/// A run that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterView<'a> {
    /// Its pod; `None` = none is known.
    pub pod: Option<&'a PodSeen>,
    /// Whether there may be a pod that is not known yet.
    pub pod_may_come: bool,
    /// When the run ended.
    pub ended_at: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// What is left to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct After {
    /// Delete the pod: its agent goes on although the run has ended.
    pub stop: bool,
    /// What the bridge could not send, in its own words.
    pub lost: Option<String>,
    /// Nothing more can come: an identity of the run's own may go, and nobody needs to look again.
    pub done: bool,
    /// When to look again, if nothing happens before.
    pub look_again: Option<Timestamp>,
}

/// What is left to do for a run that has ended.
pub fn after(view: &AfterView<'_>) -> After {
    let overdue = view.ended_at.saturating_add(STOP_GRACE).unwrap_or(view.ended_at);
    let waits = After {
        look_again: Some(overdue),
        ..After::default()
    };
    let Some(pod) = view.pod else {
        return if view.pod_may_come && view.now < overdue {
            waits
        } else {
            After {
                done: true,
                ..After::default()
            }
        };
    };
    if let ContainerSeen::Terminated { message, .. } = &pod.bridge
        && agent_has_ended(pod)
    {
        return After {
            lost: lost(message),
            done: true,
            ..After::default()
        };
    }
    if pod.ended {
        return After {
            done: true,
            ..After::default()
        };
    }
    if agent_has_ended(pod) || pod.deleting {
        return After::default();
    }
    if view.now >= overdue {
        return After {
            stop: true,
            // Somebody may not have heard it.
            look_again: view.now.saturating_add(STOP_GRACE).ok(),
            ..After::default()
        };
    }
    waits
}

/// What a bridge says in its termination message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastWords {
    events_lost: u64,
    #[serde(default)]
    files: Vec<String>,
}

/// What a bridge could not send, for people. One that lost nothing leaves no message, or says so; one that is not ours
/// may say anything.
fn lost(message: &str) -> Option<String> {
    let message = message.trim();
    match serde_json::from_str(message) {
        Ok(LastWords { events_lost: 0, .. }) => None,
        Ok(LastWords { events_lost, files }) if files.is_empty() => {
            Some(format!("{events_lost} events were not sent."))
        }
        Ok(LastWords { events_lost, files }) => Some(format!(
            "{events_lost} events were not sent: {}",
            files.join(", ")
        )),
        Err(_) => (!message.is_empty()).then(|| message.to_owned()),
    }
}

fn agent_has_ended(pod: &PodSeen) -> bool {
    pod.ended || matches!(pod.agent, ContainerSeen::Terminated { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn terminated(message: &str) -> ContainerSeen {
        ContainerSeen::Terminated {
            exit_code: 0,
            reason: String::new(),
            message: message.into(),
            since: None,
            at: None,
        }
    }

    fn pod(agent: ContainerSeen, bridge: ContainerSeen) -> PodSeen {
        PodSeen {
            name: "p".into(),
            uid: "u".into(),
            run_uid: "r".into(),
            deleting: false,
            ended: false,
            agent,
            bridge,
            trouble: None,
            created: None,
            active_deadline: None,
            service_account: String::new(),
        }
    }

    fn decide(pod: Option<&PodSeen>, now: i64) -> After {
        after(&AfterView {
            pod,
            pod_may_come: true,
            ended_at: at(100),
            now: at(now),
        })
    }

    #[test]
    fn an_agent_that_goes_on_is_stopped_after_its_grace() {
        let running = pod(
            ContainerSeen::Running { since: at(1) },
            ContainerSeen::Running { since: at(1) },
        );
        assert_eq!(
            decide(Some(&running), 129),
            After {
                look_again: Some(at(130)),
                ..After::default()
            }
        );
        assert!(decide(Some(&running), 130).stop);
        let told = PodSeen {
            deleting: true,
            ..running
        };
        assert_eq!(decide(Some(&told), 200), After::default());
    }

    #[test]
    fn the_identity_stays_while_the_bridge_drains_and_what_it_lost_is_said() {
        let draining = pod(terminated(""), ContainerSeen::Running { since: at(1) });
        assert_eq!(decide(Some(&draining), 500), After::default());
        let drained = pod(terminated(""), terminated(""));
        assert_eq!(
            decide(Some(&drained), 500),
            After {
                done: true,
                ..After::default()
            }
        );
        for (message, expected) in [
            (r#"{"eventsLost":0,"files":[]}"#, None),
            (
                r#"{"eventsLost":2,"files":["messages/send-1.json"]}"#,
                Some("2 events were not sent: messages/send-1.json"),
            ),
            (r#"{"eventsLost":2}"#, Some("2 events were not sent.")),
            ("killed", Some("killed")),
        ] {
            let lossy = pod(terminated(""), terminated(message));
            assert_eq!(decide(Some(&lossy), 500).lost.as_deref(), expected);
        }
    }

    #[test]
    fn a_pod_that_may_still_come_is_waited_for_and_no_longer() {
        assert!(!decide(None, 129).done);
        assert!(decide(None, 130).done);
        let gone = AfterView {
            pod: None,
            pod_may_come: false,
            ended_at: at(100),
            now: at(100),
        };
        assert!(after(&gone).done);
    }
}
