//! Whether the run of a pod goes on, for a purpose. Pure.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// What is known of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunFacts {
    /// The pod that its status names.
    pub(super) pod: Option<Uuid>,
    /// It is in a terminal phase, or somebody wants it to end.
    pub(super) over: bool,
    /// When it ended.
    pub(super) completed: Option<Timestamp>,
}

/// What a token is presented for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The gateway: nothing once the run is over.
    Gateway,
    /// The bus: also for that long after the end, because the bridge drains.
    Bus {
        /// The pod's `terminationGracePeriodSeconds`.
        grace: Duration,
    },
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It speaks for the run.
    Live,
    /// The run does not name a pod yet.
    NotReady,
    /// The run is over.
    Ended,
    /// The pod is none of the run's.
    Stranger,
}

/// How a pod stands to the run that it is said to be of; `None` = there is no such run.
pub(super) fn standing(pod: Uuid, run: Option<RunFacts>, purpose: For, now: Timestamp) -> Standing {
    let Some(run) = run else {
        return Standing::Stranger;
    };
    match (run.pod, run.over) {
        (None, false) => Standing::NotReady,
        (None, true) => Standing::Ended,
        (Some(own), _) if own != pod => Standing::Stranger,
        (Some(_), false) => Standing::Live,
        (Some(_), true) => match purpose {
            For::Gateway => Standing::Ended,
            For::Bus { grace } if drains(run.completed, grace, now) => Standing::Live,
            For::Bus { .. } => Standing::Ended,
        },
    }
}

/// A run that somebody ended has no end yet, and its bridge still has something to say.
fn drains(completed: Option<Timestamp>, grace: Duration, now: Timestamp) -> bool {
    let Some(completed) = completed else {
        return true;
    };
    let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
    now.duration_since(completed) < grace
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_token_speaks_for_its_own_run_while_that_goes_on() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let facts = |pod, over, completed: Option<i64>| {
            Some(RunFacts {
                pod,
                over,
                completed: completed.map(at),
            })
        };
        let bus = For::Bus {
            grace: Duration::from_mins(11),
        };
        for (name, run, gateway, on_bus) in [
            ("no such run", None, Standing::Stranger, Standing::Stranger),
            (
                "its pod is not written yet",
                facts(None, false, None),
                Standing::NotReady,
                Standing::NotReady,
            ),
            (
                "live",
                facts(Some(OWN), false, None),
                Standing::Live,
                Standing::Live,
            ),
            (
                "another pod",
                facts(Some(OTHER), false, None),
                Standing::Stranger,
                Standing::Stranger,
            ),
            (
                "cancelled",
                facts(Some(OWN), true, None),
                Standing::Ended,
                Standing::Live,
            ),
            (
                "just ended",
                facts(Some(OWN), true, Some(999)),
                Standing::Ended,
                Standing::Live,
            ),
            (
                "ended long ago",
                facts(Some(OWN), true, Some(300)),
                Standing::Ended,
                Standing::Ended,
            ),
            (
                "another pod of an ended run",
                facts(Some(OTHER), true, Some(999)),
                Standing::Stranger,
                Standing::Stranger,
            ),
            (
                "ended without a pod",
                facts(None, true, Some(999)),
                Standing::Ended,
                Standing::Ended,
            ),
        ] {
            assert_eq!(standing(OWN, run, For::Gateway, at(1_000)), gateway, "{name}");
            assert_eq!(standing(OWN, run, bus, at(1_000)), on_bus, "{name}, on the bus");
        }
    }
}
