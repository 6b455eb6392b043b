//! The size of the small programs.

use super::Bench;
use crate::programs::linkage;
use crate::report::{Line, Row, Unit};
use anyhow::Context;
use std::path::Path;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let runner = of("runner", &bench.programs.runner()?)?;
    let toolbox = of("toolbox", &bench.programs.toolbox()?)?;
    Ok(vec![runner.go(11.3).goal(6.0).into(), toolbox.into()])
}

fn of(name: &str, program: &Path) -> anyhow::Result<Row> {
    let size = program.metadata().context("look at a program")?.len();
    let kind = linkage(program)?;
    let symbols = if is_stripped(program)? {
        "stripped"
    } else {
        "not stripped"
    };
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let mebibytes = size as f64 / f64::from(1 << 20);
    Row::new(
        format!("{name}, {kind}, {symbols}"),
        Unit::Mebibytes,
        vec![mebibytes],
    )
}

/// The name of the section in which symbols are named.
fn is_stripped(program: &Path) -> anyhow::Result<bool> {
    let bytes = std::fs::read(program).context("read a program")?;
    let name = b"\0.symtab\0";
    Ok(!bytes.windows(name.len()).any(|piece| piece == name))
}
