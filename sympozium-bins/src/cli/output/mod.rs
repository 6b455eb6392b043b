//! Where words go: answers to standard output, everything about them to standard error.
//!
//! Must not know what the words mean. A reader that goes away (`| head`) is no failure.

mod columns;
mod plain;

pub(super) use columns::columns;
pub(super) use plain::{escaped, one_line, plain};

use super::failure::{Exit, Failure};
use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, ErrorKind, Write};

/// How lists and documents are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
}

/// Prints an answer.
pub(super) fn print(text: &str) -> Result<Exit, Failure> {
    print_bytes(text.as_bytes())
}

/// Prints an answer that is not text for people.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(Exit::Success),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Success),
        Err(error) => Err(Failure::failed(format!(
            "Standard output can't be written to: {error}."
        ))),
    }
}

/// Prints a value as a JSON document.
pub(super) fn print_json(value: &impl Serialize) -> Result<Exit, Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("The answer could not be written as JSON: {error}.")))?;
    print(&format!("{text}\n"))
}

/// Tells a person what went wrong.
pub(super) fn complain(message: &str) {
    note(&format!("sympozium: {message}"));
}

/// Tells a person something beside the answer.
pub(super) fn note(line: &str) {
    // There is nobody to tell when standard error is gone.
    let _told = writeln!(io::stderr().lock(), "{line}");
}
