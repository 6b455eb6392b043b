//! From exec to the first request for a model turn.

use super::Bench;
use crate::process::{millis, start_and_wait};
use crate::programs::linkage;
use crate::report::{Line, Row, Unit};
use crate::runs::Place;
use std::path::Path;
use std::process::Command;

/// The program that does nothing.
pub(super) const NOTHING: &str = "/bin/true";

/// The name of that baseline.
pub(super) fn nothing() -> anyhow::Result<String> {
    Ok(format!("{NOTHING} ({})", linkage(Path::new(NOTHING))?))
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let runner = bench.programs.runner()?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    // The first round warms up: it is read from the disk.
    for round in 0..=bench.effort.rounds(100) {
        let place = Place::new(&[])?;
        let nothing = start_and_wait(&mut Command::new(NOTHING))?;
        let (mut process, first) = place.start_runner(&runner)?;
        place.ended(&mut process)?;
        if round > 0 {
            bare.push(millis(nothing));
            ours.push(millis(first.at.saturating_duration_since(process.begun)));
        }
    }
    let what = format!("exec → first model request, {} runner", linkage(&runner)?);
    let row = Row::new(what, Unit::Milliseconds, ours)?;
    Ok(vec![row.beside(nothing()?, bare)?.go(3.2).goal(2.0).into()])
}
