//! How much later the first byte of an answer is there when the gateway is in between.

use super::Bench;
use super::upstream::{Model, direct, through, turn};
use crate::report::{Line, Row, Unit};
use crate::serve::{Settings, start};
use anyhow::Context;

/// Turns of one run: so few that its conversation stays small.
const TURNS: usize = 10;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    Ok(vec![of(bench, false)?, of(bench, true)?])
}

fn of(bench: &Bench, one_core: bool) -> anyhow::Result<Line> {
    let folder = tempfile::tempdir().context("make a folder for the gateway")?;
    let model = Model::start(true)?;
    let settings = Settings {
        folder: folder.path().to_owned(),
        model: model.port,
        runs: bench.effort.rounds(40) + 1,
        one_core,
    };
    let _gateway = start(&settings)?;
    let mut stream = model.connect()?;
    let (mut added, mut bare) = (Vec::new(), Vec::new());
    // The first run warms up: connections are made, and the database's first pages.
    for run in 0..settings.runs {
        for i in 0..bench.effort.size(TURNS, 2) {
            let with = through(&settings, run, &turn(2 * i, "Say a word.".to_owned())?)?;
            let without = direct(&mut stream, model.last_size())?;
            if run > 0 {
                added.push(with - without);
                bare.push(without);
            }
        }
    }
    let cores = if one_core { ", gateway on one core" } else { "" };
    let row = Row::new(
        format!("added to the first byte, SQLite{cores}"),
        Unit::Milliseconds,
        added,
    )?;
    Ok(row.on_top_of("the model asked directly", bare)?.goal(0.3).into())
}
