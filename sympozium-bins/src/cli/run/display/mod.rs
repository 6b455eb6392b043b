//! How a run is shown: as text for people, as one JSON document, or as a line of JSON per event.
//!
//! What is written where is decided by the pure `text` and `document`; `screen` alone touches a terminal.

mod document;
mod markers;
mod screen;
mod text;

use super::args::Format;
use super::event::{Event, Line};
use crate::cli::config::Look;
use crate::cli::failure::Failure;
use crate::cli::output;
use document::Document;
use screen::Screen;
use std::sync::{Mutex, MutexGuard, PoisonError};
use sympozium_core::ids::RunUid;

/// Shows events as they come. Shared by all who have something to tell.
pub(super) struct Display(Mutex<Form>);

enum Form {
    Text(Box<Screen>),
    Json(Vec<Document>),
    Jsonl,
}

impl Display {
    /// A display of that form, on this process's standard output and error.
    pub(super) fn new(format: Format, look: Look) -> Self {
        Self(Mutex::new(match format {
            Format::Text => Form::Text(Box::new(Screen::new(look))),
            Format::Json => Form::Json(Vec::new()),
            Format::Jsonl => Form::Jsonl,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Form> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows one event.
    pub(super) fn show(&self, uid: RunUid, event: &Event) {
        match &mut *self.lock() {
            Form::Text(screen) => screen.show(event),
            Form::Json(documents) => match documents.last_mut().filter(|last| last.uid() == uid) {
                Some(last) => last.add(event),
                None => documents.extend(Document::begin(event)),
            },
            Form::Jsonl => {
                // A reader that has gone away has seen what it wanted.
                if let Ok(line) = serde_json::to_string(&Line { uid, event }) {
                    let _read = output::print(&format!("{line}\n"));
                }
            }
        }
    }

    /// Tells a person something that is no part of the run, whatever the form.
    pub(super) fn remark(&self, line: &str) {
        match &mut *self.lock() {
            Form::Text(screen) => screen.remark(line),
            Form::Json(_) | Form::Jsonl => output::note(line),
        }
    }

    /// Clears the way for a question on the terminal; what comes meanwhile is shown after [`resume`](Self::resume).
    pub(super) fn pause(&self) {
        if let Form::Text(screen) = &mut *self.lock() {
            screen.pause();
        }
    }

    /// Shows what came during a question, and goes on.
    pub(super) fn resume(&self) {
        if let Form::Text(screen) = &mut *self.lock() {
            screen.resume();
        }
    }

    /// Prints what is printed at the end only.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        match &mut *self.lock() {
            Form::Text(screen) => screen.finish(),
            Form::Json(documents) => match &documents[..] {
                [] => {}
                [one] => {
                    output::print_json(one)?;
                }
                several => {
                    output::print_json(&several)?;
                }
            },
            Form::Jsonl => {}
        }
        Ok(())
    }
}
