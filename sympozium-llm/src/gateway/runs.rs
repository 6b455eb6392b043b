//! The runs that this process has seen: until when each may go on, and whether it was ended.

use std::{collections::HashMap, sync::Mutex, sync::PoisonError, time::Duration};
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::ids::RunUid;
use sympozium_core::run::RunPlan;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many runs are remembered. An ended run that is forgotten is refused by its credentials anyway.
const REMEMBERED: usize = 100_000;
/// What a timeout counts as that is too long for the machine's clock.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// One run's time.
#[derive(Debug, Clone)]
pub(crate) struct RunClock {
    /// Cancelled when the run ends.
    pub(crate) cancel: CancellationToken,
    /// When its time is up.
    pub(crate) deadline: Instant,
}

impl RunClock {
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Runs {
    known: Mutex<HashMap<RunUid, RunClock>>,
}

impl Runs {
    /// The run's time, which begins when it is seen first.
    pub(crate) fn seen(&self, run: RunUid, timeout: Duration) -> RunClock {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, clock| !clock.cancel.is_cancelled() && clock.deadline > Instant::now());
        }
        known
            .entry(run)
            .or_insert_with(|| {
                let now = Instant::now();
                let deadline = now.checked_add(timeout).unwrap_or_else(|| now + LONGEST);
                RunClock {
                    cancel: CancellationToken::new(),
                    deadline,
                }
            })
            .clone()
    }

    /// The run's time, unless it has ended or its time is up.
    pub(crate) fn admit(&self, plan: &RunPlan) -> Result<RunClock, Problem> {
        let clock = self.seen(plan.run.uid, plan.limits.timeout);
        if clock.cancel.is_cancelled() {
            return Err(ended());
        }
        if clock.remaining().is_zero() {
            return Err(time_is_up());
        }
        Ok(clock)
    }

    pub(crate) fn end(&self, run: RunUid) {
        self.seen(run, Duration::ZERO).cancel.cancel();
    }
}

pub(crate) fn ended() -> Problem {
    Problem::new(ProblemKind::RunEnded, "The run has ended.")
}

pub(crate) fn time_is_up() -> Problem {
    Problem::new(ProblemKind::Timeout, "The run's time is up.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timeout_that_no_clock_can_hold_is_a_long_one() {
        let clock = Runs::default().seen(RunUid::random(), Duration::MAX);
        assert!(clock.remaining() > LONGEST / 2);
    }

    #[tokio::test]
    async fn an_ended_run_stays_ended() {
        let (runs, run) = (Runs::default(), RunUid::random());
        runs.end(run);
        assert!(runs.seen(run, Duration::from_mins(1)).cancel.is_cancelled());
    }
}
