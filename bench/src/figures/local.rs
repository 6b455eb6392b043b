//! Starting a run by the local executor, without and with a sandbox.

use super::Bench;
use super::start::{NOTHING, nothing};
use crate::process::{millis, start_and_wait};
use crate::report::{Line, Row, Unit};
use crate::runs::{Local, LocalRun, NotPossible, plan};
use anyhow::Context;
use std::process::Command;
use sympozium_core::local::LocalIsolation;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let mut lines = of(bench, LocalIsolation::None)?;
    lines.extend(unless_impossible(of(bench, LocalIsolation::Full))?);
    Ok(lines)
}

/// What was measured in a sandbox, or why there is none.
pub(super) fn unless_impossible(measured: anyhow::Result<Vec<Line>>) -> anyhow::Result<Vec<Line>> {
    match measured {
        Err(error) if error.is::<NotPossible>() => {
            Ok(vec![Line::not_possible("in a sandbox", format!("{error:#}"))])
        }
        other => other,
    }
}

fn of(bench: &Bench, isolation: LocalIsolation) -> anyhow::Result<Vec<Line>> {
    let sandboxed = isolation == LocalIsolation::Full;
    let local = Local::new(&bench.programs, isolation)?;
    let (mut whole, mut launched, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=bench.effort.rounds(50) {
        let nothing = start_and_wait(&mut Command::new(NOTHING))?;
        let LocalRun {
            asked_for,
            started,
            turns,
            commands: _,
        } = local.run(&plan(), Vec::new(), sandboxed)?;
        let first = turns.first().context("no turn was asked for")?.at;
        if round > 0 {
            bare.push(millis(nothing));
            whole.push(millis(first.saturating_duration_since(asked_for)));
            launched.push(millis(first.saturating_duration_since(started)));
        }
    }
    let (place, from) = if sandboxed {
        ("in a sandbox", "the launcher's exec")
    } else {
        ("without a sandbox", "the runner's exec")
    };
    let row = |from: &str, samples| {
        let row = Row::new(
            format!("{from} → first model request, {place}"),
            Unit::Milliseconds,
            samples,
        );
        row?.beside(nothing()?, bare.clone())
    };
    let (whole, launched) = (row("ensure", whole)?, row(from, launched)?);
    Ok(if sandboxed {
        vec![launched.goal(10.0).into(), whole.goal(10.0).into()]
    } else {
        vec![launched.into(), whole.into()]
    })
}
