//! A small API server in memory: enough of list, watch, apply, status, versions and conflicts for the operator, and
//! faults on purpose. Time is tokio's, so that a day takes no time.

mod faults;
mod path;
mod select;
mod service;
mod store;

pub(crate) use faults::Faults;
pub(crate) use service::ApiServer;
pub(crate) use store::{Event, EventKind, Store};

use jiff::{SignedDuration, Timestamp};
use sympozium_k8s::operator::Clock;
use tokio::time::Instant;

/// Tokio's clock as time of day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestClock {
    begin: Instant,
}

impl TestClock {
    pub(crate) fn begin() -> Self {
        Self {
            begin: Instant::now(),
        }
    }

    pub(crate) fn time(&self) -> Timestamp {
        let start: Timestamp = "2026-11-30T08:59:50Z".parse().unwrap();
        start + SignedDuration::try_from(self.begin.elapsed()).unwrap()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.time()
    }
}
