//! Brings one run from its plan to its end.
//!
//! What comes next is decided by `sympozium_core::run::next`; here it is carried out.

use super::event::{Beginning, Ended, Event};
use super::gateway::LocalGateway;
use super::interrupts::Interrupts;
use super::memory::remember;
use super::outcome::{Outcome, outcome};
use super::teller::Teller;
use crate::cli::failure::{Exit, Failure};
use crate::cli::planning::Planned;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::error::chain;
use sympozium_core::ids::RunUid;
use sympozium_core::local::LocalExecutor;
use sympozium_core::memory::{MemoryStore, extract};
use sympozium_core::policy::Decision;
use sympozium_core::run::{
    AgentResult, Effect, Ending, ExecError, Observed, RunExecutor, RunPhase, RunPlan, RunState, STOP_GRACE,
    next,
};
use sympozium_core::store::sql::SqlStore;
use sympozium_core::store::{Account, Ledger, Scope, Window};

/// The longest wait without looking at the clock.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What runs are made with.
pub(super) struct Driver {
    pub(super) executor: LocalExecutor,
    pub(super) gateway: Arc<LocalGateway>,
    pub(super) teller: Arc<Teller>,
    pub(super) memories: Arc<dyn MemoryStore>,
    pub(super) store: SqlStore,
    /// Whether prices are known, so that there is something to say about cost.
    pub(super) has_prices: bool,
}

/// What is known of a run while it is driven.
struct Course {
    state: RunState,
    seen: Observed,
    /// The memory that the run began with.
    base: String,
    /// Somebody was impatient.
    killed: bool,
}

impl Driver {
    /// Runs it, and tells all of it, how it failed included.
    pub(super) async fn run(
        &self,
        planned: &Planned,
        beginning: Beginning,
        interrupts: &mut Interrupts,
    ) -> Exit {
        let run = planned.plan.run.uid;
        self.teller.tell(run, &Event::Run(Box::new(beginning)));
        if !planned.decision.admits() {
            return self.end_unbegun(run, "Refused", Exit::Refused, refusal(&planned.decision));
        }
        match self.begin(&planned.plan, interrupts).await {
            Ok((ending, course)) => self.end(run, &ending, &course).await,
            Err(failure) => {
                let exit = failure.exit;
                self.end_unbegun(run, RunPhase::Failed.as_str(), exit, failure.to_string())
            }
        }
    }

    async fn begin(&self, plan: &RunPlan, interrupts: &mut Interrupts) -> Result<(Ending, Course), Failure> {
        let mut course = Course {
            state: RunState {
                phase: RunPhase::Pending,
                cancel: false,
                slot: true,
                asking: false,
                deadline: None,
            },
            seen: Observed::Nothing,
            base: self.memory_before(plan).await?,
            killed: false,
        };
        self.course(plan, &mut course, interrupts)
            .await
            .map(|ending| (ending, course))
    }

    fn end_unbegun(&self, run: RunUid, phase: &'static str, exit: Exit, error: String) -> Exit {
        let ended = Ended::unbegun(phase, exit, error);
        self.teller.tell(run, &Event::Result(Box::new(ended)));
        exit
    }

    async fn memory_before(&self, plan: &RunPlan) -> Result<String, Failure> {
        if plan.memory.is_none() {
            return Ok(String::new());
        }
        let memory = self.memories.load(&plan.instance).await?;
        Ok(memory.map(|memory| memory.text).unwrap_or_default())
    }

    /// From decision to decision, until the run has ended.
    async fn course(
        &self,
        plan: &RunPlan,
        course: &mut Course,
        interrupts: &mut Interrupts,
    ) -> Result<Ending, Failure> {
        loop {
            let step = next(&course.state, &course.seen, Timestamp::now());
            course.state.phase = step.phase;
            for effect in step.effects {
                self.carry_out(effect, plan, course).await?;
            }
            if let Some(ending) = step.ending {
                return Ok(ending);
            }
            self.wait(plan, course, interrupts).await?;
        }
    }

    async fn carry_out(&self, effect: Effect, plan: &RunPlan, course: &Course) -> Result<(), Failure> {
        let run = plan.run.uid;
        match effect {
            Effect::Create => self
                .executor
                .ensure(plan)
                .await
                .map_err(|error| of_executor(&error)),
            Effect::Stop => self
                .executor
                .cancel(run)
                .await
                .map_err(|error| of_executor(&error)),
            Effect::Revoke => {
                self.gateway.end(run);
                Ok(())
            }
            Effect::SaveMemory => {
                self.save_memory(plan, course).await;
                Ok(())
            }
            Effect::CleanUp => self
                .executor
                .remove(run)
                .await
                .map_err(|error| of_executor(&error)),
        }
    }

    /// Until the run changes, its time is up, or somebody wishes it to end.
    async fn wait(
        &self,
        plan: &RunPlan,
        course: &mut Course,
        interrupts: &mut Interrupts,
    ) -> Result<(), Failure> {
        let run = plan.run.uid;
        let alarm = until_alarm(course.state.deadline, Timestamp::now());
        tokio::select! {
            seen = self.executor.changed(run, &course.seen) => {
                course.seen = seen.map_err(|error| of_executor(&error))?;
                if let Observed::Running { since } = &course.seen {
                    let timeout = SignedDuration::try_from(plan.limits.timeout).unwrap_or(SignedDuration::MAX);
                    course.state.deadline = since.saturating_add(timeout).ok();
                }
            }
            () = tokio::time::sleep(alarm) => {}
            () = interrupts.next() => {
                if course.state.cancel {
                    course.killed = true;
                    self.gateway.end(run);
                    self.executor.kill(run).await;
                } else {
                    course.state.cancel = true;
                    self.teller.remark("Cancelling; press Ctrl-C again to end it at once.");
                }
            }
        }
        Ok(())
    }

    async fn save_memory(&self, plan: &RunPlan, course: &Course) {
        let (Some(memory), Some(result)) = (plan.memory, result_of(&course.seen)) else {
            return;
        };
        let Some(update) = extract(&result.response).memory else {
            return;
        };
        let cap = usize::try_from(memory.max_bytes).unwrap_or(usize::MAX);
        let event = match remember(self.memories.as_ref(), &plan.instance, &course.base, &update, cap).await {
            Ok(remembered) => Event::Memory(remembered),
            Err(error) => Event::Fault {
                detail: format!(
                    "The memory could not be saved: {}. It would have been: {update}",
                    chain(&error)
                ),
            },
        };
        self.teller.tell(plan.run.uid, &event);
    }

    async fn end(&self, run: RunUid, ending: &Ending, course: &Course) -> Exit {
        let complaint = self.teller.complaint(run);
        let exit_code = match &course.seen {
            Observed::Finished { exit_code, .. } => Some(*exit_code),
            // Whatever else was seen last, there is no exit code in it.
            _ => None,
        };
        let result = result_of(&course.seen);
        let Outcome { phase, exit, error } = outcome(ending, exit_code, result, &complaint);
        let error = if course.killed {
            error.map(|_| "The run was ended at once; what it was doing is lost.".to_owned())
        } else {
            error
        };
        let ended = Ended {
            phase: phase.as_str(),
            result: result.map(without_memory),
            error,
            cost_micro_usd: self.cost(run).await,
            exit_code: exit.code(),
        };
        self.teller.tell(run, &Event::Result(Box::new(ended)));
        exit
    }

    async fn cost(&self, run: RunUid) -> Option<u64> {
        if !self.has_prices {
            return None;
        }
        let account = Account {
            scope: Scope::Run(run),
            window: Window::Total,
        };
        let held = self.store.held(&account).await;
        held.map_err(|error| tracing::warn!(error = chain(&error), "the run's cost is not known"))
            .ok()
            .map(|held| held.micro_usd)
    }
}

/// Everything that keeps a run from existing, as one sentence.
fn refusal(decision: &Decision) -> String {
    let denials: Vec<_> = decision
        .denials()
        .map(|verdict| {
            format!(
                "{} by {} {}: {}",
                verdict.question, verdict.policy, verdict.rule, verdict.reason
            )
        })
        .collect();
    format!("The policies do not allow this run. {}", denials.join(" "))
}

/// How long to wait for the next point in time that matters.
fn until_alarm(deadline: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(deadline) = deadline else {
        return LONGEST_WAIT;
    };
    let overdue = deadline.saturating_add(STOP_GRACE).unwrap_or(deadline);
    let next = if now < deadline { deadline } else { overdue };
    // Waking a moment late is better than waking early and often.
    let wait =
        Duration::try_from(next.duration_since(now)).unwrap_or(Duration::ZERO) + Duration::from_millis(10);
    wait.min(LONGEST_WAIT)
}

fn result_of(seen: &Observed) -> Option<&AgentResult> {
    match seen {
        Observed::Finished { result, .. } => result.as_ref(),
        // A run that has not finished has no result.
        _ => None,
    }
}

/// What the agent wants to remember is for its memory, not for the reader.
fn without_memory(result: &AgentResult) -> AgentResult {
    AgentResult {
        response: extract(&result.response).answer,
        ..result.clone()
    }
}

fn of_executor(error: &ExecError) -> Failure {
    let message = format!("{}.", chain(error));
    match error {
        ExecError::Unsupported { .. } => Failure::input(message),
        // It says by itself, in sentences, what is missing and what to do.
        ExecError::NoSandbox { source } => Failure::input(source.to_string()),
        ExecError::Failed { .. } | ExecError::NotFound(_) => Failure::failed(message),
        // Errors that come later are failures until somebody says otherwise.
        _ => Failure::failed(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_rings_at_the_deadline_and_at_the_end_of_its_grace() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let margin = Duration::from_millis(10);
        for (deadline, now, expected) in [
            (None, 0, LONGEST_WAIT),
            (Some(100), 40, Duration::from_mins(1) + margin),
            (Some(100), 110, Duration::from_secs(20) + margin),
            (Some(100), 500, margin),
            (Some(1_000_000), 0, LONGEST_WAIT),
        ] {
            assert_eq!(
                until_alarm(deadline.map(at), at(now)),
                expected,
                "{deadline:?} {now}"
            );
        }
    }
}
