//! What the gateway adds early and late in a long conversation.

use super::Bench;
use super::upstream::{Model, direct, through, turn};
use crate::report::{Line, Row, Unit};
use crate::serve::{Settings, start};
use anyhow::Context;

/// New text in each turn.
const TEXT: usize = 4_000;
/// How many turns at the beginning and at the end are compared.
const COMPARED: usize = 10;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let turns = bench.effort.size(200, 12);
    let folder = tempfile::tempdir().context("make a folder for the gateway")?;
    let model = Model::start(true)?;
    let settings = Settings {
        folder: folder.path().to_owned(),
        model: model.port,
        runs: bench.effort.rounds(5) + 1,
        one_core: false,
    };
    let _gateway = start(&settings)?;
    let mut stream = model.connect()?;
    let mut early = (Vec::new(), Vec::new());
    let mut late = (Vec::new(), Vec::new());
    through(&settings, 0, &turn(0, "Warm up.".to_owned())?)?;
    for run in 1..settings.runs {
        for i in 0..turns {
            let with = through(&settings, run, &turn(2 * i, "x".repeat(TEXT))?)?;
            let without = direct(&mut stream, model.last_size())?;
            let place = if i < COMPARED {
                &mut early
            } else if i + COMPARED >= turns {
                &mut late
            } else {
                continue;
            };
            place.0.push(with - without);
            place.1.push(without);
        }
    }
    let row = |from: usize, (added, bare)| {
        let what = format!(
            "added to the first byte, turns {from}–{} of 4 kB",
            from + COMPARED - 1
        );
        Row::new(what, Unit::Milliseconds, added)?.on_top_of("the model asked directly", bare)
    };
    Ok(vec![
        row(1, early)?.into(),
        row(turns - COMPARED + 1, late)?.into(),
    ])
}
