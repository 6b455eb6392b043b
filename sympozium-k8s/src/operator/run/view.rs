//! What is known of a run when it is decided what comes next: [`RunView`]. Pure.

use super::evidence::Found;
use super::seen::{ContainerSeen, PodSeen};
use crate::crd::v1alpha1::{AgentRun, SkillGrant};
use crate::operator::conditions::{ConditionType, find};
use jiff::{SignedDuration, Timestamp};
use sympozium_core::run::{Limits, Observed, ResultStatus, RunPhase};

/// How much longer than its timeout the pod of a run may live: it is the net below the runner's own clock.
pub const POD_NET: SignedDuration = SignedDuration::from_secs(300);
/// How long the operator leaves it to the runner to end at its timeout.
pub const RUNNER_GRACE: SignedDuration = SignedDuration::from_secs(30);

/// What there is of a run in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence<'a> {
    /// Its pod.
    Pod(&'a PodSeen),
    /// Its Job, which has no pod yet or any more.
    Job {
        /// True when the Job says that it failed.
        failed: bool,
    },
    /// Nothing, as the API server says, or because nothing was made yet.
    Nothing,
}

/// Whether a run may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Nothing forbids it, and it has a slot.
    Open,
    /// Nothing forbids it, and it waits for a slot.
    Waits {
        /// At this place from 1.
        position: u32,
        /// Whether a changed place is to be written now.
        write: bool,
    },
    /// Something that it names is not there. Objects are often applied together, so this may pass.
    Missing(String),
    /// It may not be made.
    Refused {
        /// One CamelCase word.
        reason: &'static str,
        /// Which policy and rule, or which field and why.
        message: String,
    },
}

/// Settings of the run controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunTiming {
    /// How long a run may wait for things that it names. Default: 30 s from its creation.
    pub missing_grace: SignedDuration,
    /// How long a pod may take until its agent works. Default: 15 minutes.
    pub start_deadline: SignedDuration,
    /// How long the first status may wait for the pod to be seen, so that both are one write. Default: 1 s.
    pub first_status: SignedDuration,
}

impl Default for RunTiming {
    fn default() -> Self {
        Self {
            missing_grace: SignedDuration::from_secs(30),
            start_deadline: SignedDuration::from_mins(15),
            first_status: SignedDuration::from_secs(1),
        }
    }
}

/// All that is known of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunView<'a> {
    /// The run as its object stands.
    pub run: &'a AgentRun,
    /// What there is of it.
    pub presence: Presence<'a>,
    /// Whether it may be made; asked only of runs of which nothing was made.
    pub gate: Option<&'a Gate>,
    /// Its result, as far as one is known.
    pub found: Option<&'a Found>,
    /// A tool call of it waits for a person; `None` = nothing was heard since the operator started.
    pub asking: Option<bool>,
    /// The name that its Job has.
    pub job_name: &'a str,
    /// When this operator made its Job, if it did.
    pub made_at: Option<Timestamp>,
    /// Rights of its skills, as they were given.
    pub grants: &'a [SkillGrant],
    /// What is said with the condition `Admitted`, if not the usual.
    pub note: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
    /// Settings.
    pub timing: RunTiming,
}

impl RunView<'_> {
    /// The phase in the object; a run without one is pending.
    pub fn phase(&self) -> RunPhase {
        self.status()
            .and_then(|status| status.phase)
            .unwrap_or(RunPhase::Pending)
    }

    pub(super) fn status(&self) -> Option<&crate::crd::v1alpha1::AgentRunStatus> {
        self.run.status.as_ref()
    }

    /// The pod.
    pub fn pod(&self) -> Option<&PodSeen> {
        match self.presence {
            Presence::Pod(pod) => Some(pod),
            Presence::Job { .. } | Presence::Nothing => None,
        }
    }

    /// True when something was made of the run at some time, whether or not it is still there.
    pub fn was_made(&self) -> bool {
        was_made(self.run) || self.made_at.is_some() || self.presence != Presence::Nothing
    }

    /// When the agent started, as far as it is known.
    pub(super) fn started_at(&self) -> Option<Timestamp> {
        let written = self.status().and_then(|status| status.started_at.as_ref());
        written.map(|time| time.0).or_else(|| match &self.pod()?.agent {
            ContainerSeen::Running { since } => Some(*since),
            ContainerSeen::Terminated { since, .. } => *since,
            ContainerSeen::NotYet | ContainerSeen::Waiting { .. } => None,
        })
    }

    /// When the run's time is up: its timeout and the longest wait for approvals, as its pod's own deadline has them, and
    /// the grace that leaves it to the runner to end by itself.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let asked = self
            .run
            .spec
            .timeout
            .as_ref()
            .map(crate::crd::v1alpha1::GoDuration::value);
        let timeout = SignedDuration::try_from(asked.unwrap_or(Limits::default().timeout)).ok()?;
        let by_pod = self.pod().and_then(|pod| pod.active_deadline);
        let most = by_pod.map_or(timeout, |net| net.saturating_sub(POD_NET).max(timeout));
        self.started_at()?
            .saturating_add(most.saturating_add(RUNNER_GRACE))
            .ok()
    }

    /// When the pod must have its agent at work, while it has not.
    pub(super) fn start_deadline(&self) -> Option<Timestamp> {
        let admitted = self.status().and_then(|status| {
            let condition = find(&status.conditions, ConditionType::Admitted)?;
            (condition.status == "True").then_some(condition.last_transition_time.0)
        });
        let since = self
            .pod()
            .and_then(|pod| pod.created)
            .or(self.made_at)
            .or(admitted);
        since?.saturating_add(self.timing.start_deadline).ok()
    }

    /// What the phase machine is told.
    pub(super) fn observed(&self) -> Observed {
        if let Some(found) = self.found {
            return Observed::Finished {
                exit_code: self.exit_code().unwrap_or(match found.result.status {
                    ResultStatus::Success => 0,
                    ResultStatus::Error => 1,
                }),
                result: Some(found.result.clone()),
                at: found.at.unwrap_or(self.now),
            };
        }
        match self.presence {
            Presence::Nothing => Observed::Nothing,
            Presence::Job { failed: false } => Observed::Starting,
            Presence::Job { failed: true } => died(self.now),
            Presence::Pod(pod) => of_pod(pod, self.now),
        }
    }

    /// The agent's exit code, if its container has ended.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match &self.pod()?.agent {
            ContainerSeen::Terminated { exit_code, .. } => Some(*exit_code),
            ContainerSeen::NotYet | ContainerSeen::Waiting { .. } | ContainerSeen::Running { .. } => None,
        }
    }

    /// True when the agent has ended and sources are worth asking for its result.
    pub fn wants_result(&self) -> bool {
        self.found.is_none()
            && !self.phase().is_terminal()
            && matches!(self.observed(), Observed::Finished { .. })
    }
}

/// True when the run's object says that something was made of it.
pub fn was_made(run: &AgentRun) -> bool {
    run.status.as_ref().is_some_and(|status| {
        status.job_name.is_some()
            || matches!(status.phase, Some(RunPhase::Running | RunPhase::AwaitingApproval))
    })
}

fn of_pod(pod: &PodSeen, now: Timestamp) -> Observed {
    match &pod.agent {
        ContainerSeen::Terminated { exit_code, at, .. } => Observed::Finished {
            exit_code: *exit_code,
            result: None,
            at: at.unwrap_or(now),
        },
        // The kubelet ended it, or its node is gone, without a word about the container.
        ContainerSeen::Running { .. } | ContainerSeen::NotYet | ContainerSeen::Waiting { .. }
            if pod.ended =>
        {
            died(now)
        }
        ContainerSeen::Running { since } => Observed::Running { since: *since },
        ContainerSeen::NotYet | ContainerSeen::Waiting { .. } => Observed::Starting,
    }
}

/// An end of which nothing is known but that it came.
fn died(now: Timestamp) -> Observed {
    Observed::Finished {
        exit_code: 137,
        result: None,
        at: now,
    }
}
