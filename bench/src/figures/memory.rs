//! The most memory that a runner has at once.

use super::Bench;
use crate::model::file_turns;
use crate::process::Process;
use crate::report::{Line, Row, Unit};
use crate::runs::Place;
use anyhow::Context;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let rows = [(0, 10.4), (10, 12.2)].map(|(turns, go)| of(bench, turns, go));
    rows.into_iter().collect()
}

fn of(bench: &Bench, turns: usize, go: f64) -> anyhow::Result<Line> {
    let runner = bench.programs.runner()?;
    let says = file_turns(turns);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..bench.effort.rounds(20) {
        let place = Place::new(&says)?;
        let mut process = place.start(&runner, "runner.json")?;
        ours.push(megabytes(process.peak()?));
        if place.heard().len() != turns + 1 {
            place.ended(&mut process)?;
        }
        bare.push(megabytes(of_cat()?));
    }
    let row = Row::new(
        format!("runner at its peak, {turns} turns"),
        Unit::Megabytes,
        ours,
    )?;
    Ok(row.beside("cat", bare)?.go(go).goal(6.0).into())
}

/// The memory of a small program that has started and waits.
fn of_cat() -> anyhow::Result<u64> {
    let mut command = Command::new("/bin/cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut cat = Process::start(&mut command)?;
    let child = cat.child();
    let (mut input, mut output) = child
        .stdin
        .take()
        .zip(child.stdout.take())
        .context("cat's pipes")?;
    input.write_all(b"x").context("talk to cat")?;
    output.read_exact(&mut [0]).context("listen to cat")?;
    cat.resident()
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
