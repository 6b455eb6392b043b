//! The slots and the queue of one instance.

use super::{Answer, POSITION_PAUSE};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap, HashSet};
use sympozium_core::ids::RunUid;

#[derive(Debug, Default)]
pub(super) struct Lane {
    holders: HashSet<RunUid>,
    queue: BTreeSet<(Timestamp, RunUid)>,
    created: HashMap<RunUid, Timestamp>,
    written: HashMap<RunUid, (Timestamp, u32)>,
    limit: u32,
}

impl Lane {
    pub(super) fn hold(&mut self, run: RunUid) {
        self.leave_queue(run);
        self.holders.insert(run);
    }

    pub(super) fn enqueue(&mut self, created: Timestamp, run: RunUid) {
        if !self.holders.contains(&run) && !self.created.contains_key(&run) {
            self.created.insert(run, created);
            self.queue.insert((created, run));
        }
    }

    /// The first `free` of the queue may go, in whatever order they ask.
    pub(super) fn ask(&mut self, run: RunUid, limit: u32) -> Answer {
        self.limit = limit;
        if self.holders.contains(&run) {
            return Answer::Held;
        }
        let place = self
            .queue
            .iter()
            .position(|(_, queued)| *queued == run)
            .unwrap_or(0);
        if place < self.free() {
            self.hold(run);
            return Answer::Held;
        }
        Answer::Waits(u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1))
    }

    pub(super) fn release(&mut self, run: RunUid) -> Vec<RunUid> {
        self.leave_queue(run);
        self.holders.remove(&run);
        let free = self.free();
        self.queue.iter().take(free).map(|(_, run)| *run).collect()
    }

    pub(super) fn may_write_position(&mut self, run: RunUid, position: u32, now: Timestamp) -> bool {
        let due = match self.written.get(&run) {
            None => true,
            Some((at, before)) => *before != position && now.duration_since(*at) >= POSITION_PAUSE,
        };
        if due {
            self.written.insert(run, (now, position));
        }
        due
    }

    pub(super) fn holds(&self, run: RunUid) -> bool {
        self.holders.contains(&run)
    }

    pub(super) fn waiting(&self) -> Vec<RunUid> {
        self.queue.iter().map(|(_, run)| *run).collect()
    }

    pub(super) fn held(&self) -> usize {
        self.holders.len()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.queue.is_empty()
    }

    fn free(&self) -> usize {
        usize::try_from(self.limit)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.holders.len())
    }

    fn leave_queue(&mut self, run: RunUid) {
        if let Some(created) = self.created.remove(&run) {
            self.queue.remove(&(created, run));
        }
        self.written.remove(&run);
    }
}
