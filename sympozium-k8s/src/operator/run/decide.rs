//! What comes next for a run: [`decide`]. Pure; the caller carries out the effects, then writes the status.

use super::end::{End, end};
use super::status;
use super::view::{Gate, Presence, RunView};
use crate::crd::v1alpha1::AgentRunStatus;
use crate::operator::conditions::second;
use jiff::{SignedDuration, Timestamp};
use sympozium_core::run::{Effect, Observed, RunPhase, RunState, Transition, next};

/// How a run is made to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Its pod is deleted: the agent is asked, and has a few seconds; the bridge drains.
    Pod {
        /// Its name.
        name: String,
        /// Its identity, so that no other pod of that name is hit.
        uid: String,
    },
    /// Its Job is deleted, because there is no pod yet.
    Job,
}

/// What to do, in order, before the status is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEffect {
    /// Apply the run's objects.
    Create,
    /// Make it end.
    Stop(Stop),
    /// Take its roles and bindings away.
    Revoke,
    /// Merge this into its instance's memory.
    Remember(String),
}

/// What comes next for a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDecision {
    /// What to do, in order, before the status is written.
    pub effects: Vec<RunEffect>,
    /// The status that is to stand.
    pub status: AgentRunStatus,
    /// Whether the status need not be written yet, because more is about to come.
    pub status_can_wait: bool,
    /// How the run ended, if it did so now: say so by one Event once the status stands.
    pub end: Option<End>,
    /// When to look again, if nothing happens before.
    pub look_again: Option<Timestamp>,
}

/// How often a queued run looks whether its place has changed.
const QUEUE_LOOK: SignedDuration = SignedDuration::from_secs(60);
/// How often a run without a pod, or one that was told to stop, is looked at.
const ODD_LOOK: SignedDuration = SignedDuration::from_secs(30);
/// How often a run looks for what it misses.
const MISSING_LOOK: SignedDuration = SignedDuration::from_secs(2);

/// What comes next for a run.
pub fn decide(view: &RunView<'_>) -> RunDecision {
    if view.phase().is_terminal() {
        return RunDecision {
            effects: Vec::new(),
            status: view.status().cloned().unwrap_or_default(),
            status_can_wait: false,
            end: None,
            look_again: None,
        };
    }
    if let Some(decision) = at_the_gate(view) {
        return decision;
    }
    if let Some(decision) = never_started(view) {
        return decision;
    }
    let observed = view.observed();
    step(view, &observed, &next(&state(view), &observed, view.now))
}

/// What is refused, or misses something, goes no further.
fn at_the_gate(view: &RunView<'_>) -> Option<RunDecision> {
    if view.was_made() || view.run.spec.cancel || view.found.is_some() {
        return None;
    }
    match view.gate? {
        Gate::Open | Gate::Waits { .. } => None,
        Gate::Refused { reason, message } => Some(ended(view, End::refused(reason, message))),
        Gate::Missing(what) => {
            let created = view.run.metadata.creation_timestamp.as_ref();
            let patience = created
                .and_then(|created| created.0.saturating_add(view.timing.missing_grace).ok())
                .filter(|end| view.now < *end);
            if patience.is_none() {
                return Some(ended(view, End::refused("NotFound", what)));
            }
            Some(RunDecision {
                effects: Vec::new(),
                status: status::missing(view, what),
                status_can_wait: false,
                end: None,
                look_again: later(view.now, MISSING_LOOK),
            })
        }
    }
}

/// A pod whose agent never gets to work must not hold its slot for ever.
fn never_started(view: &RunView<'_>) -> Option<RunDecision> {
    let late = view.start_deadline().is_some_and(|deadline| view.now >= deadline);
    let starting = view.was_made() && view.observed() == Observed::Starting;
    if !late || !starting || view.run.spec.cancel {
        return None;
    }
    let mut decision = ended(view, End::never_started(view));
    decision.effects.insert(0, RunEffect::Stop(stop(view)));
    Some(decision)
}

fn state(view: &RunView<'_>) -> RunState {
    let phase = view.phase();
    // What was made and is gone is lost: making it again could do everything twice.
    let phase = match phase {
        RunPhase::Pending | RunPhase::Queued if view.was_made() && view.presence == Presence::Nothing => {
            RunPhase::Running
        }
        RunPhase::Pending
        | RunPhase::Queued
        | RunPhase::Running
        | RunPhase::AwaitingApproval
        | RunPhase::Succeeded
        | RunPhase::Failed
        | RunPhase::Cancelled => phase,
    };
    RunState {
        phase,
        cancel: view.run.spec.cancel,
        slot: view.gate == Some(&Gate::Open),
        asking: view.asking.unwrap_or(phase == RunPhase::AwaitingApproval),
        deadline: view.deadline(),
    }
}

fn step(view: &RunView<'_>, observed: &Observed, transition: &Transition) -> RunDecision {
    if let Some(ending) = &transition.ending {
        let mut decision = ended(view, end(view, ending, observed));
        // One that overran its time and its grace is still there.
        if matches!(observed, Observed::Running { .. } | Observed::Starting) {
            decision.effects.insert(0, RunEffect::Stop(stop(view)));
        }
        return decision;
    }
    let mut effects = Vec::new();
    for effect in &transition.effects {
        match effect {
            Effect::Create => effects.push(RunEffect::Create),
            Effect::Stop if needs_stop(view) => effects.push(RunEffect::Stop(stop(view))),
            // On the way to an end these come with the ending.
            Effect::Stop | Effect::Revoke | Effect::SaveMemory | Effect::CleanUp => {}
        }
    }
    let status = status::going(view, transition.phase);
    RunDecision {
        status_can_wait: status_can_wait(view, &effects),
        look_again: look_again(view, transition.phase, &effects),
        effects,
        status,
        end: None,
    }
}

/// The first status waits for the pod: it comes within milliseconds, and both are one write then.
fn status_can_wait(view: &RunView<'_>, effects: &[RunEffect]) -> bool {
    let fresh = view.status().is_none_or(|status| status.job_name.is_none());
    let waited = view
        .made_at
        .is_some_and(|made| view.now.duration_since(made) >= view.timing.first_status);
    let made_now = effects.contains(&RunEffect::Create);
    fresh
        && view.pod().is_none()
        && !view.run.spec.cancel
        && (made_now || (view.made_at.is_some() && !waited))
}

fn look_again(view: &RunView<'_>, phase: RunPhase, effects: &[RunEffect]) -> Option<Timestamp> {
    if status_can_wait(view, effects) {
        return later(view.made_at.unwrap_or(view.now), view.timing.first_status);
    }
    if effects.iter().any(|effect| matches!(effect, RunEffect::Stop(_))) || view.run.spec.cancel {
        return later(view.now, ODD_LOOK);
    }
    match phase {
        RunPhase::Queued => later(view.now, QUEUE_LOOK),
        RunPhase::Pending if view.pod().is_none() => later(view.now, ODD_LOOK),
        RunPhase::Pending => view.start_deadline(),
        RunPhase::Running | RunPhase::AwaitingApproval => view.deadline(),
        RunPhase::Succeeded | RunPhase::Failed | RunPhase::Cancelled => None,
    }
}

/// A pod that is being deleted already is not told again.
fn needs_stop(view: &RunView<'_>) -> bool {
    view.pod().is_none_or(|pod| !pod.deleting)
}

fn stop(view: &RunView<'_>) -> Stop {
    view.pod().map_or(Stop::Job, |pod| Stop::Pod {
        name: pod.name.clone(),
        uid: pod.uid.clone(),
    })
}

fn ended(view: &RunView<'_>, mut end: End) -> RunDecision {
    if end.refusal.is_some() {
        end.at = second(view.now);
    }
    let mut effects = Vec::new();
    if view.was_made() || !view.grants.is_empty() {
        effects.push(RunEffect::Revoke);
    }
    effects.extend(end.memory.clone().map(RunEffect::Remember));
    RunDecision {
        effects,
        status: status::ended(view, &end),
        status_can_wait: false,
        end: Some(end),
        look_again: None,
    }
}

fn later(from: Timestamp, by: SignedDuration) -> Option<Timestamp> {
    from.saturating_add(by).ok()
}
