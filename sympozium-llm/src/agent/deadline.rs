//! The time of one run. It stands still while a person is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
struct State {
    ends: Instant,
    /// How many questions are open, and since when at least one is.
    waiting: u32,
    since: Instant,
}

/// When a run's time is up.
#[derive(Debug)]
pub(crate) struct Deadline {
    state: Mutex<State>,
    /// How long before the end the last answer is asked for.
    reserve: Duration,
}

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        let now = Instant::now();
        // A year is as good as no limit and cannot overflow a clock.
        let timeout = timeout.min(Duration::from_hours(365 * 24));
        Self {
            state: Mutex::new(State {
                ends: now + timeout,
                waiting: 0,
                since: now,
            }),
            // A tenth, so that short runs still get some work done, within what an answer usually needs.
            reserve: (timeout / 10)
                .clamp(Duration::from_secs(5), Duration::from_mins(1))
                .min(timeout / 2),
        }
    }

    fn left(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = if state.waiting > 0 {
            state.since
        } else {
            Instant::now()
        };
        state.ends.saturating_duration_since(now)
    }

    pub(crate) fn is_near(&self) -> bool {
        self.left() <= self.reserve
    }

    /// Comes back when the last answer has to be asked for.
    pub(crate) async fn near(&self) {
        self.until(self.reserve).await;
    }

    /// Comes back when the time is up.
    pub(crate) async fn passed(&self) {
        self.until(Duration::ZERO).await;
    }

    async fn until(&self, reserve: Duration) {
        loop {
            let left = self.left().saturating_sub(reserve);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Stops the clock until the guard is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiting == 0 {
            state.since = Instant::now();
        }
        state.waiting += 1;
        Held(self)
    }
}

pub(crate) struct Held<'a>(&'a Deadline);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0 {
            let held = state.since.elapsed();
            state.ends += held;
        }
    }
}
