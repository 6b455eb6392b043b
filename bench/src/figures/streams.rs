//! The memory of a gateway through which many answers stream at once.

use super::Bench;
use super::memory::megabytes;
use super::upstream::{Model, turn};
use crate::report::{Line, Row, Unit};
use crate::serve::{Settings, allow_open_files, start};
use crate::wire::first_byte;
use anyhow::Context;
use std::os::unix::net::UnixStream;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let streams = bench.effort.size(1_000, 20);
    allow_open_files()?;
    let (mut added, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..bench.effort.rounds(3) {
        let (before, with) = once(streams)?;
        idle.push(megabytes(before));
        added.push(megabytes(with.saturating_sub(before)));
    }
    let row = Row::new(format!("added by {streams} open streams"), Unit::Megabytes, added)?;
    Ok(vec![
        row.on_top_of("the gateway before", idle)?.goal(100.0).into(),
    ])
}

/// The gateway's memory before and with that many streams, in bytes.
fn once(streams: usize) -> anyhow::Result<(u64, u64)> {
    let folder = tempfile::tempdir().context("make a folder for the gateway")?;
    let model = Model::start(false)?;
    let settings = Settings {
        folder: folder.path().to_owned(),
        model: model.port,
        runs: streams,
        one_core: false,
    };
    let gateway = start(&settings)?;
    let before = gateway.resident()?;
    let turn = turn(0, "Say a word.".to_owned())?;
    let mut open = Vec::with_capacity(streams);
    for run in 0..streams {
        let mut stream = UnixStream::connect(settings.socket(run)).context("connect to the gateway")?;
        first_byte(&mut stream, &turn)?;
        open.push(stream);
    }
    let with = gateway.resident()?;
    Ok((before, with))
}
