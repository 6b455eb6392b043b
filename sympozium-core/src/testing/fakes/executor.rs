//! An executor without processes.

use super::locked;
use crate::ids::RunUid;
use crate::run::{AgentResult, ExecError, Observed, ResultMetrics, ResultStatus, RunExecutor, RunPlan};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use tokio::sync::watch;

/// What an agent in a test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AgentDoes {
    /// Ends at once with the answer `42` and exit code 0.
    Answer,
    /// Ends at once with an error as its result and exit code 1.
    Fail,
    /// Is killed by a signal, without a result.
    Die,
    /// Works until it is asked to stop; then it ends with exit code 130, without a result.
    Work,
    /// Works, and does not stop when it is asked.
    Ignore,
}

impl AgentDoes {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Answer, Self::Fail, Self::Die, Self::Work, Self::Ignore];

    /// A word for it, by which a fixture can tell its agents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Fail => "fail",
            Self::Die => "die",
            Self::Work => "work",
            Self::Ignore => "ignore",
        }
    }

    /// How it ends by itself; `None` when it goes on working.
    pub fn end(self) -> Option<(i32, Option<AgentResult>)> {
        let result = |status, response: &str, error: Option<&str>| AgentResult {
            status,
            response: response.to_owned(),
            error: error.map(str::to_owned),
            metrics: ResultMetrics::default(),
            limit: None,
        };
        match self {
            Self::Answer => Some((0, Some(result(ResultStatus::Success, "42", None)))),
            Self::Fail => Some((1, Some(result(ResultStatus::Error, "", Some("it went wrong"))))),
            Self::Die => Some((137, None)),
            Self::Work | Self::Ignore => None,
        }
    }
}

/// An executor whose agents do what a function says about their plan, without processes or time.
pub struct FakeExecutor {
    script: Box<dyn Fn(&RunPlan) -> AgentDoes + Send + Sync>,
    runs: Mutex<HashMap<RunUid, (AgentDoes, Observed)>>,
    changes: watch::Sender<u64>,
}

impl FakeExecutor {
    /// An executor of agents that do what `script` says.
    pub fn new(script: impl Fn(&RunPlan) -> AgentDoes + Send + Sync + 'static) -> Self {
        Self {
            script: Box::new(script),
            runs: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    fn show(&self, run: RunUid, agent: AgentDoes, seen: Observed) {
        locked(&self.runs).insert(run, (agent, seen));
        self.changes.send_modify(|count| *count += 1);
    }

    fn seen(&self, run: RunUid) -> Observed {
        let runs = locked(&self.runs);
        runs.get(&run).map_or(Observed::Nothing, |(_, seen)| seen.clone())
    }
}

fn finished((exit_code, result): (i32, Option<AgentResult>)) -> Observed {
    Observed::Finished {
        exit_code,
        result,
        at: Timestamp::now(),
    }
}

#[async_trait]
impl RunExecutor for FakeExecutor {
    async fn ensure(&self, plan: &RunPlan) -> Result<(), ExecError> {
        let run = plan.run.uid;
        if self.seen(run) == Observed::Nothing {
            let agent = (self.script)(plan);
            let since = Timestamp::now();
            let seen = agent.end().map_or(Observed::Running { since }, finished);
            self.show(run, agent, seen);
        }
        Ok(())
    }

    async fn observe(&self, run: RunUid) -> Result<Observed, ExecError> {
        Ok(self.seen(run))
    }

    async fn changed(&self, run: RunUid, last: &Observed) -> Result<Observed, ExecError> {
        let mut changes = self.changes.subscribe();
        loop {
            let seen = self.seen(run);
            if seen != *last {
                return Ok(seen);
            }
            // The sender lives as long as this executor.
            let _ = changes.changed().await;
        }
    }

    async fn cancel(&self, run: RunUid) -> Result<(), ExecError> {
        let found = locked(&self.runs).get(&run).cloned();
        if let Some((agent, Observed::Running { .. })) = found {
            let code = if agent == AgentDoes::Ignore { 137 } else { 130 };
            self.show(run, agent, finished((code, None)));
        }
        Ok(())
    }

    async fn remove(&self, run: RunUid) -> Result<(), ExecError> {
        locked(&self.runs).remove(&run);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }
}

impl fmt::Debug for FakeExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeExecutor")
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}
