//! What is kept of a run's pod: [`PodSeen`], a few hundred bytes instead of the whole object.
//!
//! Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodStatus};
use sympozium_core::run::pod_contract::{AGENT_CONTAINER, BRIDGE_CONTAINER};

/// Where a container stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ContainerSeen {
    /// Nothing is said of it yet, or it waits, with the reason if there is one.
    #[default]
    NotYet,
    /// It waits for a named reason, such as `ImagePullBackOff`.
    Waiting {
        /// The reason.
        reason: String,
        /// More, for people.
        message: String,
    },
    /// It works.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// It has ended.
    Terminated {
        /// Its exit code; 128 + n after signal n.
        exit_code: i32,
        /// A word, such as `OOMKilled`; may be empty.
        reason: String,
        /// What it left in its termination message.
        message: String,
        /// When it had started.
        since: Option<Timestamp>,
        /// When it ended.
        at: Option<Timestamp>,
    },
}

/// What is kept of a run's pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSeen {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// The UID of the run that it was made for, as its label says.
    pub run_uid: String,
    /// True once somebody deleted it.
    pub deleting: bool,
    /// True when no container of it will run any more.
    pub ended: bool,
    /// The agent.
    pub agent: ContainerSeen,
    /// The bridge.
    pub bridge: ContainerSeen,
    /// Why it does not start, or why the kubelet ended it; for people.
    pub trouble: Option<(String, String)>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// How long the kubelet lets it live.
    pub active_deadline: Option<SignedDuration>,
    /// The ServiceAccount that it runs as.
    pub service_account: String,
}

impl PodSeen {
    /// What of a pod matters.
    pub fn of(pod: &Pod, run_uid_label: &str) -> Self {
        let spec = pod.spec.as_ref();
        let status = pod.status.clone().unwrap_or_default();
        let phase = status.phase.as_deref().unwrap_or_default();
        let metadata = &pod.metadata;
        let label = metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(run_uid_label));
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            run_uid: label.cloned().unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
            ended: phase == "Succeeded" || phase == "Failed",
            agent: container(status.container_statuses.as_deref(), AGENT_CONTAINER),
            bridge: container(status.init_container_statuses.as_deref(), BRIDGE_CONTAINER),
            trouble: trouble(&status),
            created: metadata.creation_timestamp.as_ref().map(|time| time.0),
            active_deadline: spec
                .and_then(|spec| spec.active_deadline_seconds)
                .map(SignedDuration::from_secs),
            service_account: spec
                .and_then(|spec| spec.service_account_name.clone())
                .unwrap_or_default(),
        }
    }

    /// What keeps the agent from starting, if something is known.
    pub fn holdup(&self) -> Option<String> {
        match &self.agent {
            ContainerSeen::Waiting { reason, message } if message.is_empty() => Some(reason.clone()),
            ContainerSeen::Waiting { reason, message } => Some(format!("{reason}: {message}")),
            ContainerSeen::NotYet | ContainerSeen::Running { .. } | ContainerSeen::Terminated { .. } => self
                .trouble
                .as_ref()
                .map(|(reason, message)| format!("{reason}: {message}")),
        }
    }
}

fn container(statuses: Option<&[ContainerStatus]>, name: &str) -> ContainerSeen {
    statuses
        .unwrap_or_default()
        .iter()
        .find(|status| status.name == name)
        .and_then(|status| status.state.as_ref())
        .map(state)
        .unwrap_or_default()
}

fn state(state: &ContainerState) -> ContainerSeen {
    if let Some(ended) = &state.terminated {
        return ContainerSeen::Terminated {
            exit_code: ended.exit_code,
            reason: ended.reason.clone().unwrap_or_default(),
            message: ended.message.clone().unwrap_or_default(),
            since: ended.started_at.as_ref().map(|time| time.0),
            at: ended.finished_at.as_ref().map(|time| time.0),
        };
    }
    if let Some(running) = &state.running {
        return running
            .started_at
            .as_ref()
            .map_or(ContainerSeen::NotYet, |time| ContainerSeen::Running {
                since: time.0,
            });
    }
    match state.waiting.as_ref() {
        // These are not troubles: every container passes through them.
        Some(waiting)
            if !matches!(
                waiting.reason.as_deref(),
                None | Some("ContainerCreating" | "PodInitializing")
            ) =>
        {
            ContainerSeen::Waiting {
                reason: waiting.reason.clone().unwrap_or_default(),
                message: waiting.message.clone().unwrap_or_default(),
            }
        }
        Some(_) | None => ContainerSeen::NotYet,
    }
}

/// The kubelet's or scheduler's complaint, else that of a sidecar which does not start.
fn trouble(status: &PodStatus) -> Option<(String, String)> {
    if let Some(reason) = &status.reason {
        return Some((reason.clone(), status.message.clone().unwrap_or_default()));
    }
    let unschedulable = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unschedulable {
        return Some((
            condition.reason.clone().unwrap_or_default(),
            condition.message.clone().unwrap_or_default(),
        ));
    }
    let sidecars = status.init_container_statuses.iter().flatten();
    sidecars
        .filter_map(|sidecar| sidecar.state.as_ref())
        .find_map(|sidecar| match state(sidecar) {
            ContainerSeen::Waiting { reason, message } => Some((reason, message)),
            ContainerSeen::NotYet | ContainerSeen::Running { .. } | ContainerSeen::Terminated { .. } => None,
        })
}
