//! `sympozium-bench`: measures the parts of Sympozium, each beside a bare baseline of the same run.
//!
//! It starts the programs under test as they are built, plays their other side, and looks at the clock; it must not
//! depend on what is inside of them. `cargo xtask bench` builds the programs and starts this one. Entry: [`main`]; what is
//! measured is listed in `figures`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks by printing"
)]

mod arguments;
mod figures;
mod machine;
mod model;
mod process;
mod programs;
mod report;
mod runs;
mod serve;
mod spread;
mod wire;

use anyhow::Context;
use arguments::{Arguments, Format};
use figures::{Bench, Figure};
use report::{Line, Table};
use std::process::ExitCode;

fn main() -> ExitCode {
    match begin() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sympozium-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// False when a figure failed.
fn begin() -> anyhow::Result<bool> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [first, file] = arguments.as_slice()
        && first == serve::ARGUMENT
    {
        return serve::main(file.as_ref()).map(|()| true);
    }
    let arguments = Arguments::parse(arguments)?;
    let chosen = arguments.chosen()?;
    if arguments.check {
        return Ok(true);
    }
    let bench = Bench {
        programs: programs::Programs::find(arguments.programs.as_deref())?,
        effort: arguments.effort,
    };
    let mut table = Table::begin(&bench, arguments.built.clone());
    for figure in chosen {
        measure(figure, &bench, &mut table);
    }
    table.end();
    match arguments.format {
        Format::Plain => print!("{}", report::plain(&table)),
        Format::Markdown => print!("{}", report::markdown(&table)),
    }
    if let Some(file) = &arguments.json {
        let json = serde_json::to_vec_pretty(&table).context("write the figures as JSON")?;
        std::fs::write(file, json).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(!table.has_failed())
}

fn measure(figure: &Figure, bench: &Bench, table: &mut Table) {
    eprintln!("{}: {}", figure.name, figure.about);
    match (figure.measure)(bench) {
        Ok(lines) => table.add(figure.name, lines),
        Err(error) => table.add(
            figure.name,
            vec![Line::Failed {
                what: figure.about.to_owned(),
                why: format!("{error:#}"),
            }],
        ),
    }
}
