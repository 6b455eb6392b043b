//! The container's termination message: what could not be sent.

use super::kind::Kind;
use super::outbox::Letterbox;
use crate::ipc::LostEvents;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

/// How many names of one folder are looked at: their number is what matters.
const MOST_SEEN: usize = 1_000_000;
/// How many files are named at most; the message has room for fewer.
const MOST_NAMED: usize = 200;

/// Where the message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationMessage {
    /// The file that the kubelet reads, `/dev/termination-log`.
    pub path: PathBuf,
    /// The most bytes that reach Kubernetes: the smaller of 4096 and 12,288 ÷ number of containers.
    pub most_bytes: usize,
}

impl TerminationMessage {
    /// Replaces the message. The file is a mount, so it is written in place.
    pub(super) fn write(&self, lost: &LostEvents) -> io::Result<()> {
        let text = if *lost == LostEvents::default() {
            String::new()
        } else {
            lost.message(self.most_bytes)
        };
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).open(&self.path)?;
        file.write_all(text.as_bytes())
    }
}

/// What lies there unsent. A status is of no use when its run has ended.
pub(super) fn unsent(boxes: &[Letterbox], result_sent: bool) -> LostEvents {
    let mut lost = LostEvents::default();
    for letterbox in boxes {
        let counts = match letterbox.kind {
            Kind::Status => false,
            Kind::Result => !result_sent,
            Kind::Chunk
            | Kind::Message
            | Kind::Spawn
            | Kind::Schedule
            | Kind::Question
            | Kind::ExecRequest(_)
            | Kind::ExecResult(_) => true,
        };
        if !counts {
            continue;
        }
        let looked = letterbox.inbox.folder().names(MOST_SEEN, |name| {
            if letterbox.kind.has(name) {
                lost.events_lost += 1;
                if lost.files.len() < MOST_NAMED {
                    lost.files.push(letterbox.path(name));
                }
            }
        });
        if let Err(error) = looked {
            tracing::warn!(%error, "a folder can't be looked through");
        }
    }
    lost
}
