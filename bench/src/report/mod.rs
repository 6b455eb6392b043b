//! What was measured, as data: a [`Table`] of [`Line`]s. How it is printed is in [`plain`] and [`markdown`].

mod print;
mod row;

pub(crate) use print::{markdown, plain};
pub(crate) use row::{Row, Unit};

use crate::arguments::Effort;
use crate::figures::Bench;
use crate::machine::{Machine, load};
use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Line {
    Measured(Row),
    /// This machine or these programs can't do it.
    NotPossible {
        what: String,
        why: String,
    },
    /// It should have worked.
    Failed {
        what: String,
        why: String,
    },
}

impl Line {
    pub(crate) fn not_possible(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::NotPossible {
            what: what.into(),
            why: why.into(),
        }
    }
}

impl From<Row> for Line {
    fn from(row: Row) -> Self {
        Self::Measured(row)
    }
}

/// Everything that one call has measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Table {
    machine: Machine,
    /// How the programs under test were built, if somebody said.
    built: Option<String>,
    load_at_begin: String,
    load_at_end: String,
    /// Enough was measured for the numbers to mean something.
    meaningful: bool,
    figures: Vec<Figure>,
}

/// The lines of one figure.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    lines: Vec<Line>,
}

impl Table {
    pub(crate) fn begin(bench: &Bench, built: Option<String>) -> Self {
        Self {
            machine: Machine::look(),
            built,
            load_at_begin: load(),
            load_at_end: String::new(),
            meaningful: bench.effort != Effort::Smoke,
            figures: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, name: &'static str, lines: Vec<Line>) {
        self.figures.push(Figure { name, lines });
    }

    pub(crate) fn end(&mut self) {
        self.load_at_end = load();
    }

    pub(crate) fn has_failed(&self) -> bool {
        let mut lines = self.figures.iter().flat_map(|figure| &figure.lines);
        lines.any(|line| matches!(line, Line::Failed { .. }))
    }
}
