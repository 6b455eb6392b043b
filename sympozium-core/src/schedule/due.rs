//! What to do about a schedule now: [`due`].

use super::Expression;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How many missed ticks are counted at most; beyond, it is "that many or more".
pub const MOST_MISSED: u32 = 100;

/// The UUIDv5 namespace of ticks. Changing it would let old ticks start again.
const TICKS: Uuid = Uuid::from_u128(0x1f0b_57b6_6f0e_4b43_9a0d_6d8f_1d7e_c0a3);

/// What a schedule is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When it is due.
    pub when: Expression,
    /// How late a tick may start; `None` = however late.
    pub starting_deadline: Option<SignedDuration>,
    /// Whether it pauses.
    pub suspend: bool,
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The tick up to which everything is settled: that of its last run, else the moment of its creation.
    pub settled: Timestamp,
}

/// Ticks that will not start any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// How many, at most [`MOST_MISSED`].
    pub count: u32,
    /// The last of them.
    pub last: Timestamp,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The tick that starts now: the latest one that is due and not too late.
    pub start: Option<Timestamp>,
    /// Ticks before it, or before now, that are skipped.
    pub missed: Option<Missed>,
    /// The first tick that is still to come. `None` when it pauses or none comes.
    pub next: Option<Timestamp>,
}

/// What is due at `now`. However many ticks passed, at most one starts: the latest. A schedule that pauses starts
/// nothing, and what passes meanwhile is not made up for, because its caller settles ticks up to the moment it resumes.
pub fn due(plan: &Plan, state: State, now: Timestamp) -> Tick {
    let mut tick = Tick {
        start: None,
        missed: None,
        next: None,
    };
    if plan.suspend {
        return tick;
    }
    let mut passed = 0_u32;
    let mut latest = None;
    let mut cursor = state.settled;
    while let Some(next) = plan.when.after(cursor) {
        if next > now {
            tick.next = Some(next);
            break;
        }
        (latest, cursor, passed) = (Some(next), next, passed.saturating_add(1));
        if passed > MOST_MISSED {
            // Counting years of minutes would take for ever: go on from the last few that still matter.
            cursor = cursor.max(leap(&plan.when, now).unwrap_or(cursor));
        }
    }
    let Some(latest) = latest else { return tick };
    let in_time = plan
        .starting_deadline
        .is_none_or(|most| now.duration_since(latest) <= most);
    if in_time {
        tick.start = Some(latest);
        passed = passed.saturating_sub(1);
    }
    tick.missed = (passed > 0).then(|| Missed {
        count: passed.min(MOST_MISSED),
        last: latest,
    });
    tick
}

/// A moment from which few ticks are left until `now`, and at least one.
fn leap(when: &Expression, now: Timestamp) -> Option<Timestamp> {
    [1, 24, 24 * 32, 24 * 366, 24 * 366 * 9]
        .into_iter()
        .find_map(|hours| {
            let from = now.checked_sub(SignedDuration::from_hours(hours)).ok()?;
            when.after(from).filter(|tick| *tick <= now).map(|_| from)
        })
}

/// The identity of one tick of a schedule: the same schedule and moment always give the same id.
pub fn tick_id(schedule: Uuid, tick: Timestamp) -> Uuid {
    Uuid::new_v5(&TICKS, format!("{schedule}\n{}", tick.as_second()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn plan(text: &str) -> Plan {
        Plan {
            when: Expression::new(text, None).unwrap(),
            starting_deadline: None,
            suspend: false,
        }
    }

    fn settled(text: &str) -> State {
        State { settled: at(text) }
    }

    #[test]
    fn the_latest_due_tick_starts_and_earlier_ones_are_missed() {
        let hourly = plan("0 * * * *");
        let state = settled("2026-11-30T08:00:00Z");
        let tick = due(&hourly, state, at("2026-11-30T08:59:59Z"));
        assert_eq!((tick.start, tick.missed), (None, None));
        assert_eq!(tick.next, Some(at("2026-11-30T09:00:00Z")));
        let tick = due(&hourly, state, at("2026-11-30T11:10:00Z"));
        assert_eq!(tick.start, Some(at("2026-11-30T11:00:00Z")));
        assert_eq!(tick.missed.map(|missed| missed.count), Some(2));
        assert_eq!(tick.next, Some(at("2026-11-30T12:00:00Z")));
    }

    #[test]
    fn a_tick_that_is_too_late_is_missed() {
        let strict = Plan {
            starting_deadline: Some(SignedDuration::from_mins(5)),
            ..plan("0 * * * *")
        };
        let state = settled("2026-11-30T08:00:00Z");
        assert!(due(&strict, state, at("2026-11-30T09:05:00Z")).start.is_some());
        let tick = due(&strict, state, at("2026-11-30T09:05:01Z"));
        assert_eq!(tick.start, None);
        assert_eq!(
            tick.missed,
            Some(Missed {
                count: 1,
                last: at("2026-11-30T09:00:00Z")
            })
        );
    }

    #[test]
    fn a_schedule_that_pauses_does_nothing() {
        let paused = Plan {
            suspend: true,
            ..plan("* * * * *")
        };
        let tick = due(
            &paused,
            settled("2026-11-30T08:00:00Z"),
            at("2026-11-30T09:00:00Z"),
        );
        assert_eq!(
            tick,
            Tick {
                start: None,
                missed: None,
                next: None
            }
        );
    }

    #[test]
    fn years_of_missed_minutes_are_counted_no_further_than_the_most() {
        let tick = due(
            &plan("* * * * *"),
            settled("2001-01-01T00:00:00Z"),
            at("2026-11-30T09:00:30Z"),
        );
        assert_eq!(tick.start, Some(at("2026-11-30T09:00:00Z")));
        assert_eq!(tick.missed.map(|missed| missed.count), Some(MOST_MISSED));
        assert_eq!(tick.next, Some(at("2026-11-30T09:01:00Z")));
    }

    #[test]
    fn a_tick_has_one_identity() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let tick = at("2026-11-30T09:00:00Z");
        assert_eq!(tick_id(one, tick), tick_id(one, tick));
        assert_ne!(tick_id(one, tick), tick_id(other, tick));
        assert_ne!(tick_id(one, tick), tick_id(one, at("2026-11-30T09:01:00Z")));
    }

    proptest! {
        #[test]
        fn every_tick_starts_at_most_once_however_often_it_is_asked(steps in prop::collection::vec(1i64..4000, 1..40)) {
            let plan = plan("*/7 * * * *");
            let mut now = at("2026-11-30T08:00:00Z");
            let mut state = State { settled: now };
            let mut started = Vec::new();
            for step in steps {
                now = now.checked_add(SignedDuration::from_secs(step)).unwrap();
                let tick = due(&plan, state, now);
                prop_assert!(tick.next.is_some_and(|next| next > now));
                if let Some(start) = tick.start {
                    prop_assert!(start <= now && !started.contains(&start));
                    started.push(start);
                    state.settled = start;
                }
                prop_assert_eq!(due(&plan, state, now).start, None);
            }
        }
    }
}
