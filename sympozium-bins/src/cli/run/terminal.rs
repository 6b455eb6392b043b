//! Asking the person at the terminal.
//!
//! A thread of its own reads lines: a read of a terminal can't be given up, and the thread ends with the process.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, stderr, stdin};
use tokio::sync::{Mutex, mpsc};

/// Lines that were typed and not yet taken; more wait in the terminal.
const WAITING_LINES: usize = 16;

/// The terminal of this process, once somebody was asked there.
#[derive(Debug)]
pub(super) struct Terminal {
    lines: Mutex<mpsc::Receiver<String>>,
}

impl Terminal {
    /// The terminal, if there is one on which a question can be seen and answered.
    pub(super) fn find() -> Option<Self> {
        if !stderr().is_terminal() {
            return None;
        }
        let (sender, receiver) = mpsc::channel(WAITING_LINES);
        if stdin().is_terminal() {
            std::thread::spawn(move || read(stdin().lock(), &sender));
        } else {
            let terminal = File::open("/dev/tty").ok()?;
            std::thread::spawn(move || read(BufReader::new(terminal), &sender));
        }
        Some(Self {
            lines: Mutex::new(receiver),
        })
    }

    /// The next line that is typed from now on; nothing when the terminal is gone. Questions take turns.
    pub(super) async fn answer(&self, ask: impl FnOnce()) -> Option<String> {
        let mut lines = self.lines.lock().await;
        // What was typed before the question is no answer to it.
        while lines.try_recv().is_ok() {}
        ask();
        lines.recv().await
    }
}

fn read(from: impl BufRead, to: &mpsc::Sender<String>) {
    for line in from.lines() {
        let Ok(line) = line else { return };
        if to.blocking_send(line).is_err() {
            return;
        }
    }
}
