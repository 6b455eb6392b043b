//! A command that does nothing: from its request to its result, and as a turn of the agent.

use super::Bench;
use super::local::unless_impossible;
use crate::model::{command_turns, gaps};
use crate::process::{DEADLINE, millis, start_and_wait};
use crate::report::{Line, Row, Unit};
use crate::runs::{Local, Place, plan};
use anyhow::{Context, bail};
use std::process::Command;
use std::time::Instant;
use sympozium_core::ipc::ExecRequest;
use sympozium_core::local::LocalIsolation;
use sympozium_core::run::SandboxPlan;
use sympozium_core::toolbox::ExecClient;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let mut lines = vec![by_hand(bench)?.into()];
    lines.extend(by_an_agent(bench, LocalIsolation::None)?);
    lines.extend(unless_impossible(by_an_agent(bench, LocalIsolation::Full))?);
    Ok(lines)
}

fn shell() -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "true"]);
    shell
}

/// With an executor alone, and the client that runners have.
fn by_hand(bench: &Bench) -> anyhow::Result<Row> {
    let place = Place::new(&[])?;
    let mut toolbox = place.start(&bench.programs.toolbox()?, "toolbox.json")?;
    let client = ExecClient::new(place.tools_dir()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("make a runtime")?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=bench.effort.rounds(200) {
        let nothing = start_and_wait(&mut shell())?;
        let mut request = ExecRequest::new(Uuid::new_v4().into());
        "true".clone_into(&mut request.command);
        let begun = Instant::now();
        let cancel = CancellationToken::new();
        let work = async { tokio::time::timeout(DEADLINE, client.execute(&request, &cancel)).await };
        let result = runtime.block_on(work);
        let took = begun.elapsed();
        toolbox.check_alive()?;
        let result = result.context("the executor does not answer")??;
        if result.exit_code != 0 {
            bail!("`true` failed: {result:?}");
        }
        if round > 0 {
            bare.push(millis(nothing));
            ours.push(millis(took));
        }
    }
    let row = Row::new("`true`, request → result", Unit::Milliseconds, ours)?;
    Ok(row.beside("sh -c true", bare)?.go(163.0).goal(2.0))
}

/// In a whole run: from request to result as seen from outside, and as the agent sees it, from the model's answer that
/// wants it to the next request, which holds the result.
fn by_an_agent(bench: &Bench, isolation: LocalIsolation) -> anyhow::Result<Vec<Line>> {
    let sandboxed = isolation == LocalIsolation::Full;
    let local = Local::new(&bench.programs, isolation)?;
    let turns = bench.effort.size(10, 3);
    let (mut inner, mut whole, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=bench.effort.rounds(20) {
        let mut plan = plan();
        plan.sandbox = Some(SandboxPlan::default());
        let run = local.run(&plan, command_turns(turns), sandboxed)?;
        let nothing = (0..turns).map(|_| start_and_wait(&mut shell()).map(millis));
        let nothing: Vec<f64> = nothing.collect::<anyhow::Result<_>>()?;
        if round > 0 {
            // The first command of a run may wait for its executor's own start.
            inner.extend(run.commands.into_iter().skip(1));
            whole.extend(gaps(&run.turns).into_iter().skip(1));
            bare.extend(nothing);
        }
    }
    let place = if sandboxed { "in" } else { "without" };
    let row = |what: &str, samples| {
        let what = format!("`true`{what} in a run, {place} a sandbox");
        Row::new(what, Unit::Milliseconds, samples)?.beside("sh -c true", bare.clone())
    };
    let inner = row(", request → result", inner)?.go(163.0).goal(2.0);
    Ok(vec![
        inner.into(),
        row(" as a turn of the agent", whole)?.go(213.0).into(),
    ])
}
