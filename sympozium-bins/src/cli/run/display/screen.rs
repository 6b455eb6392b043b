//! The two streams of this process, and the spinner between them.

use super::text::{Piece, Streams, TextView};
use crate::cli::config::Look;
use crate::cli::output;
use crate::cli::run::event::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// The most events that are kept while a person answers; a run that waits for an answer says little.
const MAX_HELD: usize = 1000;

/// Writes what the view says.
pub(super) struct Screen {
    view: TextView,
    /// Only where there is a terminal to draw on.
    animated: bool,
    spinner: Option<ProgressBar>,
    /// How many questions are open.
    questions: usize,
    /// What came since the first of them.
    held: Vec<Event>,
}

impl Screen {
    pub(super) fn new(look: Look) -> Self {
        let draws = stderr().is_terminal();
        Self {
            view: TextView::new(Streams {
                stream_text: stdout().is_terminal(),
                colour: draws && !look.plain && !look.dumb,
            }),
            animated: draws && !look.dumb,
            spinner: None,
            questions: 0,
            held: Vec::new(),
        }
    }

    pub(super) fn show(&mut self, event: &Event) {
        if self.questions > 0 && self.held.len() < MAX_HELD {
            self.held.push(event.clone());
            return;
        }
        for piece in self.view.show(event) {
            self.write(piece);
        }
    }

    pub(super) fn remark(&mut self, line: &str) {
        self.write(Piece::Line(line.to_owned()));
    }

    pub(super) fn pause(&mut self) {
        self.rest();
        self.questions += 1;
    }

    pub(super) fn resume(&mut self) {
        self.questions = self.questions.saturating_sub(1);
        if self.questions == 0 {
            for event in std::mem::take(&mut self.held) {
                self.show(&event);
            }
        }
    }

    pub(super) fn finish(&mut self) {
        self.questions = 0;
        self.resume();
        self.rest();
    }

    fn write(&mut self, piece: Piece) {
        match piece {
            Piece::Answer(text) => {
                self.rest();
                // A reader that has gone away has seen what it wanted.
                let _read = output::print(&text);
            }
            Piece::Line(line) => match &self.spinner {
                Some(spinner) => spinner.suspend(|| output::note(&line)),
                None => output::note(&line),
            },
            Piece::Waiting(Some(what)) => self.wait(what),
            Piece::Waiting(None) => self.rest(),
        }
    }

    fn wait(&mut self, what: String) {
        if !self.animated {
            return;
        }
        let spinner = self.spinner.get_or_insert_with(|| {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(TICK);
            spinner
        });
        spinner.set_message(what);
    }

    fn rest(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.rest();
    }
}
