//! Finding the files of a run, whatever kind they are of.

use super::kind::Kind;
use crate::bus::StreamKind;
use crate::ipc::mailbox::{FolderWatch, Inbox, InboxConfig, Item, MailboxError, OpenFolder};
use futures::future::select_all;
use serde_json::Value;
use std::time::Duration;

/// The largest file that is sent, in bytes: a bus takes messages of one MiB with all that is around them.
const MAX_BYTES: u64 = 900 << 10;
/// The largest result that is read: its event is shortened.
const MAX_RESULT: u64 = 8 << 20;
/// How long a file may be half written, by agents that write without a temporary name.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many files of one kind are taken before the others get their turn.
const TURN: u32 = 32;

/// All that agents and executors write.
#[derive(Debug)]
pub(super) struct Outbox {
    boxes: Vec<Letterbox>,
    /// The one whose turn it is, and how many more of it are taken.
    turn: (usize, u32),
}

/// One kind's files.
#[derive(Debug)]
pub(super) struct Letterbox {
    pub(super) kind: Kind,
    pub(super) inbox: Inbox<Value>,
}

impl Letterbox {
    /// A file's path below `/ipc`, for people.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.kind.folder().path())
    }
}

/// Which box a file was found in, and the file or why it is none.
pub(super) type Found = (usize, Result<Item<Value>, MailboxError>);

/// What there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) work: bool,
    pub(super) stream: bool,
}

impl Room {
    pub(super) fn any(self) -> bool {
        self.work || self.stream
    }

    fn fits(self, kind: &Kind) -> bool {
        match kind.stream() {
            StreamKind::Work => self.work,
            StreamKind::Stream => self.stream,
        }
    }
}

impl Outbox {
    /// Begins to watch. What is there already is found first.
    pub(super) fn open(folders: Vec<(Kind, OpenFolder)>) -> Result<Self, MailboxError> {
        let (kinds, folders): (Vec<_>, Vec<_>) = folders.into_iter().unzip();
        let watches = FolderWatch::start_each(folders)?;
        let boxes = kinds.into_iter().zip(watches).map(|(kind, watch)| {
            let named = if kind.stays() {
                InboxConfig::one(kind.prefix())
            } else {
                InboxConfig::of(kind.prefix())
            };
            let config = InboxConfig {
                max_bytes: if kind == Kind::Result {
                    MAX_RESULT
                } else {
                    MAX_BYTES
                },
                patience: PATIENCE,
                ..named
            };
            Inbox::open_on(watch, config).map(|inbox| Letterbox { kind, inbox })
        });
        Ok(Self {
            boxes: boxes.collect::<Result<_, _>>()?,
            turn: (0, 0),
        })
    }

    /// The boxes.
    pub(super) fn boxes(&self) -> &[Letterbox] {
        &self.boxes
    }

    pub(super) fn get(&mut self, place: usize) -> Option<&mut Letterbox> {
        self.boxes.get_mut(place)
    }

    /// The next file of those kinds that there is room for. Never, when there is none. Safe to drop and call again.
    pub(super) async fn next(&mut self, room: Room) -> Found {
        if let Some(found) = self.same_kind(room) {
            return found;
        }
        let waiting = self.boxes.iter_mut().enumerate();
        let waiting = waiting.filter(|(_, letterbox)| room.fits(&letterbox.kind));
        let mut waiting: Vec<_> = waiting
            .map(|(place, letterbox)| Box::pin(async move { (place, letterbox.inbox.next().await) }))
            .collect();
        if waiting.is_empty() {
            return std::future::pending().await;
        }
        // The first one that is ready is taken, so each is to be the first one at times.
        let (turn, _) = self.turn;
        let first = (turn + 1) % waiting.len();
        waiting.rotate_left(first);
        let ((place, found), ..) = select_all(waiting).await;
        self.turn = (place, TURN);
        (place, found)
    }

    /// The next file that is there now, in a folder that was looked through after this was called.
    pub(super) fn now(&mut self, room: Room) -> Option<Found> {
        if let Some(found) = self.same_kind(room) {
            return Some(found);
        }
        let boxes = self.boxes.iter_mut().enumerate();
        for (place, letterbox) in boxes.filter(|(_, letterbox)| room.fits(&letterbox.kind)) {
            letterbox.inbox.lose_patience();
            if let Some(found) = letterbox.inbox.poll_now().transpose() {
                // Looking through a folder again costs more than letting the others wait for their turn.
                self.turn = (place, u32::MAX);
                return Some((place, found));
            }
        }
        None
    }

    /// What the last look has found besides.
    fn same_kind(&mut self, room: Room) -> Option<Found> {
        let (place, left) = self.turn;
        let letterbox = self.boxes.get_mut(place)?;
        if left == 0 || !room.fits(&letterbox.kind) {
            return None;
        }
        self.turn = (place, left - 1);
        letterbox.inbox.found().transpose().map(|found| (place, found))
    }
}
