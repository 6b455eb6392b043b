//! How many bytes a runner sends: with every turn the same, not more each time.

use super::Bench;
use crate::model::{Asked, file_turns};
use crate::report::{Line, Row, Unit};
use crate::runs::Place;
use anyhow::Context;

/// Numbers of turns. The system in Go sends 477 kB in 24 turns and 1,670 kB in 49: the square.
const TURNS: [(usize, Option<f64>); 3] = [(10, None), (25, Some(477.0)), (50, Some(1_670.0))];

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let runner = bench.programs.runner()?;
    let mut lines = Vec::new();
    let mut sent: Vec<(f64, f64)> = Vec::new();
    for (turns, go) in TURNS {
        let place = Place::new(&file_turns(turns))?;
        let asked = place.run(&runner, turns)?;
        let first = asked.first().context("no turn was asked for")?;
        // What would have to be sent at least: the first request, again and again.
        let bare = kilobytes(first) * count(asked.len());
        let all: f64 = asked.iter().map(kilobytes).sum();
        sent.push((count(turns), all));
        let row = Row::new(
            format!("sent in {turns} turns with file tools"),
            Unit::Kilobytes,
            vec![all],
        )?;
        let mut row = row.beside("the first request as often", vec![bare])?;
        row.go = go;
        lines.push(row.into());
    }
    if let [ten, middle, most] = sent.as_slice() {
        let per_turn = |less: &(f64, f64), more: &(f64, f64)| (more.1 - less.1) / (more.0 - less.0);
        let (early, late) = (per_turn(ten, middle), per_turn(middle, most));
        let row = Row::new("sent by each turn from the 25th on", Unit::Kilobytes, vec![late])?;
        let row = row.beside("each from the 10th to the 25th", vec![early])?;
        // Linear: late turns send no more than early ones, but for the digits of counters.
        lines.push(row.goal(early * 1.02).into());
    }
    Ok(lines)
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn kilobytes(asked: &Asked) -> f64 {
    (asked.head + asked.body.len()) as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a few dozen")]
fn count(turns: usize) -> f64 {
    turns as f64
}
