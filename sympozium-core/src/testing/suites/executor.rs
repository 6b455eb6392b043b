//! The suite of [`RunExecutor`].

use super::super::AgentDoes;
use super::{fresh_run, ok, same};
use crate::ids::RunUid;
use crate::run::{AgentResult, Observed, RunExecutor, RunPlan};
use futures::FutureExt;
use futures::future::join_all;
use std::time::Duration;

/// How long the suite waits for something that has to happen.
const DEADLINE: Duration = Duration::from_mins(2);

/// An executor under test, and agents for it.
pub trait ExecutorFixture: Send + Sync {
    /// The executor.
    fn executor(&self) -> &dyn RunExecutor;

    /// A plan of a new run whose agent does that.
    fn plan(&self, agent: AgentDoes) -> RunPlan;
}

/// Checks a [`RunExecutor`]. Its grace for agents that do not stop should be short: it is waited for.
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn run_executor(fixture: &dyn ExecutorFixture) {
    a_run_that_nobody_made_is_not_there(fixture).await;
    each_end_is_seen_with_what_the_agent_left(fixture).await;
    making_a_run_again_changes_nothing(fixture).await;
    an_agent_that_is_asked_to_stop_ends(fixture).await;
    an_agent_that_does_not_stop_is_ended(fixture).await;
    an_ended_run_can_be_cancelled_and_removed_again_and_again(fixture).await;
    runs_share_nothing(fixture).await;
    a_change_is_told_to_all_who_wait(fixture).await;
}

async fn observe(fixture: &dyn ExecutorFixture, run: RunUid) -> Observed {
    ok(fixture.executor().observe(run).await, "a run can be observed")
}

async fn ensure(fixture: &dyn ExecutorFixture, plan: &RunPlan) {
    ok(fixture.executor().ensure(plan).await, "a run can be made");
}

async fn cancel(fixture: &dyn ExecutorFixture, run: RunUid) {
    ok(fixture.executor().cancel(run).await, "a run can be cancelled");
}

async fn remove(fixture: &dyn ExecutorFixture, run: RunUid) {
    ok(fixture.executor().remove(run).await, "a run can be removed");
    same(
        &observe(fixture, run).await,
        &Observed::Nothing,
        "a removed run is gone",
    );
}

/// Follows a run by [`RunExecutor::changed`] until it looks as wanted.
async fn until(
    fixture: &dyn ExecutorFixture,
    run: RunUid,
    what: &str,
    wanted: fn(&Observed) -> bool,
) -> Observed {
    let follow = async {
        let mut seen = observe(fixture, run).await;
        while !wanted(&seen) {
            let next = fixture.executor().changed(run, &seen).await;
            seen = ok(next, "the changes of a run can be followed");
        }
        seen
    };
    let seen = tokio::time::timeout(DEADLINE, follow).await;
    seen.unwrap_or_else(|_| panic!("a run should be {what} within {DEADLINE:?}"))
}

async fn running(fixture: &dyn ExecutorFixture, run: RunUid) -> Observed {
    until(fixture, run, "running", |seen| {
        matches!(seen, Observed::Running { .. })
    })
    .await
}

/// The exit code and result of a run's end.
async fn end(fixture: &dyn ExecutorFixture, run: RunUid) -> (i32, Option<AgentResult>) {
    let finished = |seen: &Observed| matches!(seen, Observed::Finished { .. });
    match until(fixture, run, "finished", finished).await {
        Observed::Finished {
            exit_code, result, ..
        } => (exit_code, result),
        Observed::Nothing | Observed::Starting | Observed::Running { .. } => {
            panic!("only an end is waited for")
        }
    }
}

/// Checks the end of a run that was cancelled. An agent that was asked before it could listen may end by the signal.
async fn ends_with(fixture: &dyn ExecutorFixture, run: RunUid, code: i32, expected: &str) {
    let (exit_code, result) = end(fixture, run).await;
    assert!(
        [code, 143].contains(&exit_code) && result.is_none(),
        "{expected}, not with exit code {exit_code} and {result:?}"
    );
}

async fn a_run_that_nobody_made_is_not_there(fixture: &dyn ExecutorFixture) {
    let run = fresh_run();
    same(
        &observe(fixture, run).await,
        &Observed::Nothing,
        "a run that nobody made is not there",
    );
    cancel(fixture, run).await;
    remove(fixture, run).await;
}

async fn each_end_is_seen_with_what_the_agent_left(fixture: &dyn ExecutorFixture) {
    for agent in [AgentDoes::Answer, AgentDoes::Fail, AgentDoes::Die] {
        let plan = fixture.plan(agent);
        ensure(fixture, &plan).await;
        let found = Some(end(fixture, plan.run.uid).await);
        same(&found, &agent.end(), "an end is seen with exit code and result");
        remove(fixture, plan.run.uid).await;
    }
}

async fn making_a_run_again_changes_nothing(fixture: &dyn ExecutorFixture) {
    let plan = fixture.plan(AgentDoes::Work);
    let run = plan.run.uid;
    join_all((0..4).map(|_| ensure(fixture, &plan))).await;
    let first = running(fixture, run).await;
    ensure(fixture, &plan).await;
    same(
        &observe(fixture, run).await,
        &first,
        "a running run that is made again goes on",
    );
    cancel(fixture, run).await;
    end(fixture, run).await;
    let ended = observe(fixture, run).await;
    ensure(fixture, &plan).await;
    same(
        &observe(fixture, run).await,
        &ended,
        "an ended run that is made again stays ended",
    );
    remove(fixture, run).await;
}

async fn an_agent_that_is_asked_to_stop_ends(fixture: &dyn ExecutorFixture) {
    let plan = fixture.plan(AgentDoes::Work);
    ensure(fixture, &plan).await;
    running(fixture, plan.run.uid).await;
    cancel(fixture, plan.run.uid).await;
    cancel(fixture, plan.run.uid).await;
    ends_with(
        fixture,
        plan.run.uid,
        130,
        "a cancelled agent ends in its own way",
    )
    .await;
    remove(fixture, plan.run.uid).await;
}

async fn an_agent_that_does_not_stop_is_ended(fixture: &dyn ExecutorFixture) {
    let plan = fixture.plan(AgentDoes::Ignore);
    ensure(fixture, &plan).await;
    running(fixture, plan.run.uid).await;
    cancel(fixture, plan.run.uid).await;
    ends_with(
        fixture,
        plan.run.uid,
        137,
        "an agent that does not stop is killed",
    )
    .await;
    remove(fixture, plan.run.uid).await;
}

async fn an_ended_run_can_be_cancelled_and_removed_again_and_again(fixture: &dyn ExecutorFixture) {
    let plan = fixture.plan(AgentDoes::Answer);
    let run = plan.run.uid;
    ensure(fixture, &plan).await;
    end(fixture, run).await;
    let ended = observe(fixture, run).await;
    for _ in 0..2 {
        cancel(fixture, run).await;
        same(
            &observe(fixture, run).await,
            &ended,
            "cancelling an ended run changes nothing",
        );
    }
    for _ in 0..2 {
        remove(fixture, run).await;
    }
}

async fn runs_share_nothing(fixture: &dyn ExecutorFixture) {
    let (one, two) = (fixture.plan(AgentDoes::Work), fixture.plan(AgentDoes::Work));
    ensure(fixture, &one).await;
    ensure(fixture, &two).await;
    let other = running(fixture, two.run.uid).await;
    running(fixture, one.run.uid).await;
    cancel(fixture, one.run.uid).await;
    end(fixture, one.run.uid).await;
    remove(fixture, one.run.uid).await;
    same(
        &observe(fixture, two.run.uid).await,
        &other,
        "the end of one run leaves the others",
    );
    cancel(fixture, two.run.uid).await;
    end(fixture, two.run.uid).await;
    remove(fixture, two.run.uid).await;
}

async fn a_change_is_told_to_all_who_wait(fixture: &dyn ExecutorFixture) {
    let plan = fixture.plan(AgentDoes::Work);
    let run = plan.run.uid;
    ensure(fixture, &plan).await;
    let seen = running(fixture, run).await;
    let told_at_once = fixture.executor().changed(run, &Observed::Nothing).await;
    same(
        &ok(told_at_once, "changes can be followed"),
        &seen,
        "a difference is told at once",
    );
    let unchanged = fixture.executor().changed(run, &seen).now_or_never();
    assert!(unchanged.is_none(), "without a change nothing is told");
    let waiting = join_all((0..3).map(|_| fixture.executor().changed(run, &seen)));
    let both = async { tokio::join!(waiting, fixture.executor().cancel(run)) };
    let (told, cancelled) = tokio::time::timeout(DEADLINE, both)
        .await
        .unwrap_or_else(|_| panic!("a change should be told to all who wait for it within {DEADLINE:?}"));
    ok(cancelled, "a run can be cancelled");
    for told in told {
        let told = ok(told, "changes can be followed");
        assert!(told != seen, "only a change is told");
    }
    end(fixture, run).await;
    remove(fixture, run).await;
}
