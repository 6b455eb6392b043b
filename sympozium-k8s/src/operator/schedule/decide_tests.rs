//! Ticks, pauses and runs that overlap.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(spec: &Value) -> SympoziumSchedule {
    let mut all = json!({"instanceRef": "sre", "schedule": "0 * * * *", "task": "look"});
    all.as_object_mut()
        .unwrap()
        .extend(spec.as_object().unwrap().clone());
    let mut schedule = SympoziumSchedule::new("watch", serde_json::from_value(all).unwrap());
    schedule.metadata.namespace = Some("team".into());
    schedule.metadata.uid = Some("5f6f3c0e-86b4-4a88-9d3e-9a8a7a3c2b11".into());
    schedule.metadata.generation = Some(1);
    schedule.metadata.creation_timestamp = Some(Time(at("2026-11-30T08:30:00Z")));
    schedule
}

fn instance() -> SympoziumInstance {
    let spec = json!({
        "agents": {"default": {"model": "gpt-4o"}},
        "channels": [{"type": "telegram", "defaultChat": "42"}],
    });
    SympoziumInstance::new("sre", serde_json::from_value(spec).unwrap())
}

fn decide_at(schedule: &SympoziumSchedule, live: &[LiveRun], now: &str) -> Decision {
    decide(&View {
        schedule,
        instance: Some(&instance()),
        live,
        denied: None,
        now: at(now),
    })
}

fn live(name: &str) -> LiveRun {
    LiveRun {
        name: name.into(),
        cancel: false,
    }
}

fn ready(decision: &Decision) -> &str {
    let found = crate::operator::conditions::find(&decision.status.conditions, ConditionType::Ready);
    found
        .map(|condition| condition.reason.as_str())
        .unwrap_or_default()
}

fn missed_reason(decision: &Decision) -> Option<&str> {
    let found = crate::operator::conditions::find(&decision.status.conditions, ConditionType::Missed)?;
    (found.status == "True").then_some(found.reason.as_str())
}

#[test]
fn a_tick_starts_one_run_whose_name_follows_from_it() {
    let mut hourly = schedule(&json!({}));
    let before = decide_at(&hourly, &[], "2026-11-30T08:59:59Z");
    assert_eq!(
        (before.start.is_none(), before.look_again),
        (true, Some(at("2026-11-30T09:00:00Z")))
    );
    hourly.status = Some(before.status);
    let tick = decide_at(&hourly, &[], "2026-11-30T09:00:00Z");
    let run = tick.start.clone().unwrap();
    let name = run.metadata.name.clone().unwrap();
    assert!(name.starts_with("watch-") && name.len() == 16, "{name}");
    assert_eq!(run.metadata.owner_references.unwrap()[0].name, "watch");
    // Before the status is written, after a restart: the same run again.
    let again = decide_at(&hourly, &[live(&name)], "2026-11-30T09:00:01Z");
    assert_eq!(again.start.unwrap().metadata.name, Some(name.clone()));
    assert_eq!(
        (again.status.total_runs, again.status.last_run_time),
        (1, tick.status.last_run_time.clone())
    );
    hourly.status = Some(tick.status);
    let after = decide_at(&hourly, &[], "2026-11-30T09:00:01Z");
    assert_eq!((after.start, after.status.total_runs), (None, 1));
    assert_eq!(after.status.last_run_name, Some(name));
}

#[test]
fn overlapping_runs_are_forbidden_allowed_or_replaced() {
    for (policy, starts, cancels) in [("Forbid", false, 0), ("Allow", true, 0), ("Replace", true, 1)] {
        let schedule = schedule(&json!({"concurrencyPolicy": policy}));
        let runs = [
            live("watch-old"),
            LiveRun {
                cancel: true,
                ..live("watch-older")
            },
        ];
        let decision = decide_at(&schedule, &runs, "2026-11-30T09:00:00Z");
        assert_eq!(
            (decision.start.is_some(), decision.cancel.len()),
            (starts, cancels),
            "{policy}"
        );
        assert_eq!(
            missed_reason(&decision),
            (!starts).then_some("StillRunning"),
            "{policy}"
        );
        assert_eq!(
            decision.status.next_run_time,
            Some(Time(at("2026-11-30T10:00:00Z")))
        );
        // A skipped tick stays skipped when the old run ends.
        let mut later = schedule;
        later.status = Some(decision.status);
        assert_eq!(
            decide_at(&later, &[], "2026-11-30T09:30:00Z").start,
            None,
            "{policy}"
        );
    }
}

#[test]
fn what_passed_while_nobody_looked_is_made_up_once_and_reported() {
    let mut hourly = schedule(&json!({}));
    hourly.status = Some(decide_at(&hourly, &[], "2026-11-30T08:31:00Z").status);
    let decision = decide_at(&hourly, &[], "2026-11-30T12:20:00Z");
    assert_eq!(
        decision.status.last_run_time,
        Some(Time(at("2026-11-30T12:00:00Z")))
    );
    assert_eq!(missed_reason(&decision), Some("TooLate"));
    hourly.spec.starting_deadline_seconds = Some(60);
    assert_eq!(decide_at(&hourly, &[], "2026-11-30T12:20:00Z").start, None);
}

#[test]
fn a_pause_or_a_new_time_makes_nothing_up() {
    let mut paused = schedule(&json!({"suspend": true}));
    let decision = decide_at(&paused, &[], "2026-11-30T09:30:00Z");
    assert_eq!(
        (decision.start.is_none(), decision.status.phase),
        (true, Some(SchedulePhase::Suspended))
    );
    paused.status = Some(decision.status);
    paused.spec.suspend = false;
    paused.metadata.generation = Some(2);
    let resumed = decide_at(&paused, &[], "2026-11-30T11:30:00Z");
    assert_eq!(
        (resumed.start, resumed.look_again),
        (None, Some(at("2026-11-30T12:00:00Z")))
    );
    paused.status = Some(resumed.status);
    paused.spec.schedule = "*/10 * * * *".into();
    paused.metadata.generation = Some(3);
    let changed = decide_at(&paused, &[], "2026-11-30T11:55:00Z");
    assert_eq!(
        (changed.start, changed.look_again),
        (None, Some(at("2026-11-30T12:00:00Z")))
    );
}

#[test]
fn what_can_not_work_says_why() {
    let bad = decide_at(
        &schedule(&json!({"schedule": "0 0 * * 7"})),
        &[],
        "2026-11-30T09:00:00Z",
    );
    assert_eq!(
        (ready(&bad), bad.status.phase),
        ("InvalidSchedule", Some(SchedulePhase::Error))
    );
    let zone = decide_at(
        &schedule(&json!({"timeZone": "Mars"})),
        &[],
        "2026-11-30T09:00:00Z",
    );
    assert_eq!(ready(&zone), "InvalidSchedule");
    let hourly = schedule(&json!({}));
    let view = View {
        schedule: &hourly,
        instance: None,
        live: &[],
        denied: None,
        now: at("2026-11-30T09:00:00Z"),
    };
    assert_eq!(ready(&decide(&view)), "InstanceNotFound");
    let instance = instance();
    let view = View {
        instance: Some(&instance),
        denied: Some("switched off"),
        ..view
    };
    let denied = decide(&view);
    assert_eq!((ready(&denied), denied.start.is_none()), ("PolicyDenied", true));
}

#[test]
fn answers_go_where_the_schedule_says() {
    let annotations = |spec: &Value| {
        let decision = decide_at(&schedule(spec), &[], "2026-11-30T09:00:00Z");
        decision.start.unwrap().metadata.annotations.unwrap_or_default()
    };
    assert!(annotations(&json!({})).is_empty());
    let to_default = annotations(&json!({"deliverTo": {"channel": "telegram"}}));
    assert_eq!(to_default["sympozium.ai/reply-chat-id"], "42");
    let to_named =
        annotations(&json!({"deliverTo": {"channel": "telegram", "chatId": "7"}, "includeMemory": false}));
    assert_eq!(
        (
            to_named["sympozium.ai/reply-chat-id"].as_str(),
            to_named["sympozium.ai/memory"].as_str()
        ),
        ("7", "off")
    );
}

proptest! {
    /// Whenever it is asked, however often it restarts before its status is written: no tick has two runs.
    #[test]
    fn no_tick_fires_twice(steps in prop::collection::vec((1i64..5000, any::<bool>(), any::<bool>()), 1..40)) {
        let mut schedule = schedule(&json!({"concurrencyPolicy": "Allow", "schedule": "*/20 * * * *"}));
        let (mut now, mut names, mut times) = (at("2026-11-30T08:30:00Z"), BTreeSet::new(), BTreeSet::new());
        for (step, written, _) in steps {
            now = now.checked_add(SignedDuration::from_secs(step)).unwrap();
            let decision = decide_at(&schedule, &[], &now.to_string());
            if let Some(run) = &decision.start {
                names.insert(run.metadata.name.clone().unwrap());
                times.insert(decision.status.last_run_time.clone().unwrap().0);
            }
            prop_assert_eq!(names.len(), times.len());
            if written {
                schedule.status = Some(decision.status);
            }
        }
    }
}
