//! The status that is to stand: what it was, and what changed. Pure.

use super::end::End;
use super::seen::ContainerSeen;
use super::view::{Gate, RunView};
use crate::crd::v1alpha1::AgentRunStatus;
use crate::operator::conditions::{ConditionType, Said, find, second, set};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sympozium_core::run::RunPhase;

/// The status of a run that goes on, in this phase.
pub(super) fn going(view: &RunView<'_>, phase: RunPhase) -> AgentRunStatus {
    let mut status = base(view);
    status.phase = Some(phase);
    // A place that has changed is written at most once a minute: until then the one that stands stays.
    let before = status.queue_position.take();
    match (phase, view.gate) {
        (RunPhase::Queued, Some(Gate::Waits { position, write })) => {
            status.queue_position = if *write {
                Some(*position)
            } else {
                before.or(Some(*position))
            };
            say(
                &mut status,
                view,
                Said::new(
                    ConditionType::Admitted,
                    false,
                    "Queued",
                    "The run waits for a slot of its instance.",
                ),
            );
        }
        (RunPhase::Queued, _) => status.queue_position = before,
        _ if view.was_made() || view.gate == Some(&Gate::Open) => {
            admitted(&mut status, view);
            status.job_name = Some(view.job_name.to_owned());
            status.grants = view.grants.to_vec();
            pod(&mut status, view);
        }
        _ => {}
    }
    status
}

/// The status of a run that misses something.
pub(super) fn missing(view: &RunView<'_>, what: &str) -> AgentRunStatus {
    let mut status = base(view);
    status.phase = Some(RunPhase::Pending);
    let message = format!("{what}; waiting for it.");
    say(
        &mut status,
        view,
        Said::new(ConditionType::Admitted, false, "NotFound", message),
    );
    status
}

/// The status of a run that has ended.
pub(super) fn ended(view: &RunView<'_>, end: &End) -> AgentRunStatus {
    let mut status = base(view);
    status.queue_position = None;
    status.grants = Vec::new();
    if view.was_made() {
        admitted(&mut status, view);
        status.job_name = Some(view.job_name.to_owned());
        pod(&mut status, view);
    }
    status.phase = Some(end.phase);
    status.completed_at = Some(Time(end.at));
    status.result.clone_from(&end.answer);
    status.result_truncated = end.truncated;
    status.error.clone_from(&end.error);
    status.exit_code = end.exit_code;
    status.token_usage.clone_from(&end.tokens);
    status.usage.clone_from(&end.usage);
    let error = end.error.clone().unwrap_or_default();
    if let Some(reason) = end.refusal {
        say(
            &mut status,
            view,
            Said::new(ConditionType::Admitted, false, reason, error.clone()),
        );
    }
    if view.was_made() {
        say(
            &mut status,
            view,
            Said::new(ConditionType::PodReady, false, "Ended", "The agent has ended."),
        );
    }
    say(
        &mut status,
        view,
        Said::new(ConditionType::Complete, true, end.phase.as_str(), error),
    );
    status
}

/// Once it is said with what was left out of its skills' rights, it stays said.
fn admitted(status: &mut AgentRunStatus, view: &RunView<'_>) {
    if find(&status.conditions, ConditionType::Admitted).is_some_and(|condition| condition.status == "True") {
        return;
    }
    let message = view.note.unwrap_or("The run has a slot.");
    say(
        status,
        view,
        Said::new(ConditionType::Admitted, true, "Admitted", message),
    );
}

fn base(view: &RunView<'_>) -> AgentRunStatus {
    let mut status = view.status().cloned().unwrap_or_default();
    status.observed_generation = view.run.metadata.generation;
    status
}

/// What is known of the pod.
fn pod(status: &mut AgentRunStatus, view: &RunView<'_>) {
    if let Some(started) = view.started_at() {
        status.started_at = Some(Time(second(started)));
    }
    let Some(pod) = view.pod() else { return };
    status.pod_name = Some(pod.name.clone());
    status.pod_uid = Some(pod.uid.clone());
    let (ready, reason, message) = match &pod.agent {
        ContainerSeen::Running { .. } => (true, "AgentRunning", "The agent works.".to_owned()),
        ContainerSeen::Terminated { .. } => (false, "Ended", "The agent has ended.".to_owned()),
        ContainerSeen::NotYet | ContainerSeen::Waiting { .. } => {
            let holdup = pod.holdup();
            let reason = if holdup.is_some() { "HeldUp" } else { "Starting" };
            (
                false,
                reason,
                holdup.unwrap_or_else(|| "The pod starts.".to_owned()),
            )
        }
    };
    say(
        status,
        view,
        Said::new(ConditionType::PodReady, ready, reason, message),
    );
}

fn say(status: &mut AgentRunStatus, view: &RunView<'_>, said: Said) {
    set(
        &mut status.conditions,
        said,
        view.run.metadata.generation,
        view.now,
    );
}
