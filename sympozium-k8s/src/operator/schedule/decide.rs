//! What comes next for a schedule. Pure; the caller starts and cancels runs, then writes the status.

use super::template::{run_name, scheduled_run};
use crate::crd::v1alpha1::{
    AgentRun, ConcurrencyPolicy, SchedulePhase, SympoziumInstance, SympoziumSchedule, SympoziumScheduleStatus,
};
use crate::operator::conditions::{ConditionType, Said, second, set};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sympozium_core::schedule::{Expression, MOST_MISSED, Missed, Plan, ScheduleError, State, Tick, due};
use uuid::Uuid;

/// A run of a schedule that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRun {
    /// Its name.
    pub name: String,
    /// Whether somebody wishes it to end already.
    pub cancel: bool,
}

/// All that is known of a schedule.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The schedule as its object stands.
    pub schedule: &'a SympoziumSchedule,
    /// Its instance; `None` = there is none of that name.
    pub instance: Option<&'a SympoziumInstance>,
    /// Its runs that have not ended.
    pub live: &'a [LiveRun],
    /// Whether the feature is on, by every policy that holds; if not, which says so.
    pub denied: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// What comes next for a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Runs to cancel, by name.
    pub cancel: Vec<String>,
    /// The run to create. That there is one of its name already is a success: it was created before.
    pub start: Option<Box<AgentRun>>,
    /// The status that is to stand, once the runs are cancelled and created.
    pub status: SympoziumScheduleStatus,
    /// When to look again.
    pub look_again: Option<Timestamp>,
}

/// Reads the times of a schedule.
pub fn reads(schedule: &SympoziumSchedule) -> Result<Expression, ScheduleError> {
    Expression::new(&schedule.spec.schedule, schedule.spec.time_zone.as_deref())
}

/// What comes next for a schedule.
pub fn decide(view: &View<'_>) -> Decision {
    let spec = &view.schedule.spec;
    let when = match reads(view.schedule) {
        Ok(when) => when,
        Err(error) => return broken(view, "InvalidSchedule", error.to_string()),
    };
    if view.instance.is_none() {
        let message = format!("There is no SympoziumInstance {}", spec.instance_ref);
        return broken(view, "InstanceNotFound", message);
    }
    if let Some(denied) = view.denied {
        return broken(view, "PolicyDenied", denied.to_owned());
    }
    let plan = Plan {
        when,
        starting_deadline: spec.starting_deadline_seconds.map(SignedDuration::from_secs),
        suspend: spec.suspend,
    };
    let tick = due(
        &plan,
        State {
            settled: settled(view),
        },
        view.now,
    );
    act(view, &tick)
}

/// The moment up to which everything is settled. The next tick that the status names is the first that is not. After a
/// change of the spec, and after a pause or a fault, the new times hold from now on; a new schedule's from its creation.
fn settled(view: &View<'_>) -> Timestamp {
    let metadata = &view.schedule.metadata;
    let Some(status) = &view.schedule.status else {
        let created = metadata.creation_timestamp.as_ref();
        return created.map_or(view.now, |time| time.0);
    };
    match &status.next_run_time {
        Some(next) if status.observed_generation == metadata.generation => {
            // Ticks lie on whole minutes, so that none is between.
            next.0
                .saturating_sub(SignedDuration::from_secs(1))
                .unwrap_or(next.0)
        }
        Some(_) | None => view.now,
    }
}

fn act(view: &View<'_>, tick: &Tick) -> Decision {
    let name = tick.start.map(|start| name(view, start));
    // The run of this very tick may be under way already, when nobody came to write the status.
    let others: Vec<&LiveRun> = view
        .live
        .iter()
        .filter(|run| Some(&run.name) != name.as_ref())
        .collect();
    let forbids = view.schedule.spec.concurrency_policy == ConcurrencyPolicy::Forbid;
    let in_the_way = others.first().filter(|_| forbids && tick.start.is_some());
    let mut decision = Decision {
        cancel: Vec::new(),
        start: None,
        status: status(view, tick, in_the_way.map(|run| run.name.as_str())),
        look_again: tick.next,
    };
    let (Some(start), Some(name), None) = (tick.start, name, in_the_way) else {
        return decision;
    };
    if view.schedule.spec.concurrency_policy == ConcurrencyPolicy::Replace {
        let wanted = others.iter().filter(|run| !run.cancel);
        decision.cancel = wanted.map(|run| run.name.clone()).collect();
    }
    decision.status.last_run_time = Some(Time(start));
    decision.status.total_runs = decision.status.total_runs.saturating_add(1);
    decision.status.last_run_name = Some(name.clone());
    decision.start = Some(Box::new(scheduled_run(view.schedule, view.instance, &name)));
    decision
}

fn name(view: &View<'_>, tick: Timestamp) -> String {
    let name = view.schedule.metadata.name.as_deref().unwrap_or_default();
    let uid = view.schedule.metadata.uid.as_deref().unwrap_or_default();
    run_name(name, Uuid::parse_str(uid).unwrap_or_default(), tick)
}

fn status(view: &View<'_>, tick: &Tick, in_the_way: Option<&str>) -> SympoziumScheduleStatus {
    let mut status = base(view);
    let suspended = view.schedule.spec.suspend;
    status.phase = Some(if suspended {
        SchedulePhase::Suspended
    } else {
        SchedulePhase::Active
    });
    status.next_run_time = tick.next.map(|next| Time(second(next)));
    let ready = if suspended {
        Said::new(ConditionType::Ready, false, "Suspended", "The schedule pauses.")
    } else {
        Said::new(
            ConditionType::Ready,
            true,
            "Active",
            "The schedule waits for its next time.",
        )
    };
    say(&mut status, view, ready);
    if let Some(said) = missed(tick, in_the_way) {
        say(&mut status, view, said);
    }
    status
}

/// What is said of ticks without a run. It stays until the next tick has one.
fn missed(tick: &Tick, in_the_way: Option<&str>) -> Option<Said> {
    if let (Some(running), Some(start)) = (in_the_way, tick.start) {
        let message = format!("The run of {start} was skipped: {running} is still under way.");
        return Some(Said::new(ConditionType::Missed, true, "StillRunning", message));
    }
    if let Some(Missed { count, last }) = tick.missed {
        let more = if count == MOST_MISSED { " or more" } else { "" };
        let message =
            format!("{count}{more} runs were not started in time, the last that was due by {last}.");
        return Some(Said::new(ConditionType::Missed, true, "TooLate", message));
    }
    tick.start.map(|_| {
        Said::new(
            ConditionType::Missed,
            false,
            "Started",
            "The last run was started in time.",
        )
    })
}

fn broken(view: &View<'_>, reason: &'static str, message: String) -> Decision {
    let mut status = base(view);
    status.phase = Some(SchedulePhase::Error);
    status.next_run_time = None;
    say(
        &mut status,
        view,
        Said::new(ConditionType::Ready, false, reason, message),
    );
    Decision {
        cancel: Vec::new(),
        start: None,
        status,
        look_again: None,
    }
}

fn base(view: &View<'_>) -> SympoziumScheduleStatus {
    let mut status = view.schedule.status.clone().unwrap_or_default();
    status.observed_generation = view.schedule.metadata.generation;
    status
}

fn say(status: &mut SympoziumScheduleStatus, view: &View<'_>, said: Said) {
    set(
        &mut status.conditions,
        said,
        view.schedule.metadata.generation,
        view.now,
    );
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
