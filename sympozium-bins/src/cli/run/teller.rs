//! Tells everybody who wants to know what happens in a run.

use super::display::Display;
use super::event::Event;
use super::record::Recorder;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use sympozium_core::ids::RunUid;
use sympozium_core::local::{LocalEvent, LocalEvents, LocalProcess};

/// Shows and records events, and keeps the last words of agents.
pub(super) struct Teller {
    display: Arc<Display>,
    recorder: Arc<Recorder>,
    complaints: Mutex<HashMap<RunUid, String>>,
}

impl Teller {
    pub(super) fn new(display: Arc<Display>, recorder: Arc<Recorder>) -> Self {
        Self {
            display,
            recorder,
            complaints: Mutex::default(),
        }
    }

    /// Tells one event.
    pub(super) fn tell(&self, run: RunUid, event: &Event) {
        self.recorder.add(run, event);
        self.display.show(run, event);
    }

    /// Tells a person something that is no part of the run.
    pub(super) fn remark(&self, line: &str) {
        self.display.remark(line);
    }

    /// What the run's agent wrote to its standard error last.
    pub(super) fn complaint(&self, run: RunUid) -> String {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.remove(&run).unwrap_or_default()
    }
}

impl LocalEvents for Teller {
    fn on(&self, run: RunUid, event: LocalEvent) {
        if let LocalEvent::Ended {
            process: LocalProcess::Runner,
            complaint,
            ..
        } = &event
        {
            let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.insert(run, complaint.clone());
        }
        if let Some(event) = Event::of(event) {
            self.tell(run, &event);
        }
    }
}
