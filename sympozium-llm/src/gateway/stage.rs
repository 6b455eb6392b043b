//! How a gateway leaves: first it is not ready any more, then it begins nothing, then it gives up what is left.
//!
//! Whoever routes requests to it needs a moment to see the first before the second does not turn anybody away.

use super::Gateway;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use sympozium_core::gateway::{Problem, ProblemKind};
use tokio_util::sync::CancellationToken;

/// Where a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It does everything.
    Serving,
    /// It does everything, and `GET /readyz` says that it is going to stop.
    Leaving,
    /// It begins nothing; what is under way goes on.
    Refusing,
}

/// The stage, and the end of what is under way.
#[derive(Debug, Default)]
pub(crate) struct Course {
    stage: AtomicU8,
    /// Cancelled when what is under way is given up.
    pub(crate) over: CancellationToken,
}

impl Course {
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Serving,
            1 => Stage::Leaving,
            _ => Stage::Refusing,
        }
    }

    /// Goes on to a later stage; never back.
    fn reach(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::Relaxed);
    }

    /// Whether something may begin.
    pub(crate) fn admit(&self) -> Result<(), Problem> {
        match self.stage() {
            Stage::Serving | Stage::Leaving => Ok(()),
            Stage::Refusing => Err(stopping()),
        }
    }
}

/// What is said to whoever comes too late, or is in the middle of something that is given up.
pub(crate) fn stopping() -> Problem {
    let mut problem = Problem::new(
        ProblemKind::Stopping,
        "This gateway is stopping; ask again, and another one will answer.",
    );
    problem.retry_after_ms = Some(500);
    problem
}

/// How long the steps of leaving take.
#[derive(Debug, Clone, Copy)]
pub struct Farewell {
    /// From being not ready until nothing new is begun. Default 5 s.
    pub notice: Duration,
    /// From then until what is under way is given up: turns can be asked for again under their steps, tunnels are cut.
    /// Default 40 s.
    pub patience: Duration,
}

impl Default for Farewell {
    fn default() -> Self {
        Self {
            notice: Duration::from_secs(5),
            patience: Duration::from_secs(40),
        }
    }
}

impl Gateway {
    /// Leaves in good order, while its listeners still serve: stops being ready, then begins nothing new, then waits for
    /// turns and tunnels, then gives up those that are left. A turn that is given up is free at once to be taken by
    /// another gateway. Stop the listeners when this has returned.
    pub async fn retire(&self, farewell: Farewell) {
        let inner = &self.inner;
        inner.course.reach(Stage::Leaving);
        tokio::time::sleep(farewell.notice).await;
        inner.course.reach(Stage::Refusing);
        inner.turns.close();
        inner.tunnels.close();
        let all = async {
            inner.turns.wait().await;
            inner.tunnels.wait().await;
        };
        if tokio::time::timeout(farewell.patience, all).await.is_err() {
            let (turns, tunnels) = (inner.turns.len(), inner.tunnels.len());
            tracing::warn!(turns, tunnels, "what is under way is given up");
        }
        inner.course.over.cancel();
        inner.turns.wait().await;
        inner.tunnels.wait().await;
    }
}
