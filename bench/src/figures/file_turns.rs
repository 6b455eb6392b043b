//! The time between an answer of the model and the next request, when a file tool is called in between.

use super::Bench;
use crate::model::{Asked, file_turns, gaps};
use crate::report::{Line, Row, Unit};
use crate::runs::Place;
use crate::wire::{ask, request};
use anyhow::Context;
use std::os::unix::net::UnixStream;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let lines = [10, 49].map(|turns| of(bench, turns));
    lines.into_iter().collect()
}

fn of(bench: &Bench, turns: usize) -> anyhow::Result<Line> {
    let runner = bench.programs.runner()?;
    let says = file_turns(turns);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=bench.effort.rounds(if turns > 10 { 20 } else { 60 }) {
        let place = Place::new(&says)?;
        let asked = place.run(&runner, turns)?;
        let repeated = Place::new(&says)?;
        let again = repeat(&repeated, &asked)?;
        if round > 0 {
            ours.extend(gaps(&asked));
            bare.extend(gaps(&again));
        }
    }
    let row = Row::new(
        format!("answer → next request, {turns} turns with file tools"),
        Unit::Milliseconds,
        ours,
    )?;
    let row = row.beside("a client that asks the same at once", bare)?;
    Ok(row.go(0.66).goal(0.2).into())
}

/// A bare client says to the gateway what the runner has said, with nothing in between.
fn repeat(place: &Place, asked: &[Asked]) -> anyhow::Result<Vec<Asked>> {
    for turn in asked {
        let bytes = request("POST /v1/chat", &[("accept", "text/event-stream")], &turn.body);
        let mut stream = UnixStream::connect(place.path("g.sock")).context("connect to the gateway")?;
        ask(&mut stream, &bytes)?;
    }
    Ok(place.heard())
}
