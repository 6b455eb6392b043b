//! Who may be under way: [`Slots`].
//!
//! Pure. One of these lives in the leader, is rebuilt from a live list, and is the only thing that gives slots, so that
//! no stale cache can admit too many. A top-level run takes a slot of its instance from the moment it is admitted until
//! it has ended, whatever it waits for in between; a spawned run lives in the slot of the run at the top of its line.

mod lane;

use lane::Lane;

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use sympozium_core::ids::{InstanceRef, RunUid};

/// A queued run's place is written at most this often.
pub const POSITION_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// A run that wants a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run.
    pub run: RunUid,
    /// Its instance.
    pub instance: InstanceRef,
    /// When it was created: the oldest comes first.
    pub created: Timestamp,
}

/// What a claim is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The run has a slot.
    Held,
    /// It waits, at this place from 1.
    Waits(u32),
}

/// The slots of all instances.
#[derive(Debug, Default)]
pub struct Slots {
    lanes: BTreeMap<String, Lane>,
    of_run: HashMap<RunUid, InstanceRef>,
}

impl Slots {
    /// Puts a run in that already has a slot: its Job exists. Never refused, because it is a fact.
    pub fn hold(&mut self, claim: &Claim) {
        self.of_run.insert(claim.run, claim.instance.clone());
        self.lane(&claim.instance).hold(claim.run);
    }

    /// Puts a run in the queue, without asking for its slot yet. Nothing changes for a run that is already known.
    pub fn enqueue(&mut self, claim: &Claim) {
        self.of_run.insert(claim.run, claim.instance.clone());
        self.lane(&claim.instance).enqueue(claim.created, claim.run);
    }

    /// Asks for a slot, of which the instance now has `limit`. Asking again changes nothing. A lower limit takes no slot
    /// away from who has one.
    pub fn ask(&mut self, claim: &Claim, limit: u32) -> Answer {
        self.enqueue(claim);
        self.lane(&claim.instance).ask(claim.run, limit)
    }

    /// Takes a run out: it has ended, or is gone. Returns the runs that may now ask again with success.
    pub fn release(&mut self, run: RunUid) -> Vec<RunUid> {
        let Some(instance) = self.of_run.remove(&run) else {
            return Vec::new();
        };
        let key = instance.to_string();
        let Some(lane) = self.lanes.get_mut(&key) else {
            return Vec::new();
        };
        let next = lane.release(run);
        if lane.is_empty() {
            self.lanes.remove(&key);
        }
        next
    }

    /// Whether a run has a slot.
    pub fn holds(&self, run: RunUid) -> bool {
        self.lane_of(run).is_some_and(|lane| lane.holds(run))
    }

    /// The runs of an instance that wait, the next one first.
    pub fn waiting(&self, instance: &InstanceRef) -> Vec<RunUid> {
        self.lanes
            .get(&instance.to_string())
            .map(Lane::waiting)
            .unwrap_or_default()
    }

    /// How many runs of an instance have slots.
    pub fn active(&self, instance: &InstanceRef) -> usize {
        self.lanes.get(&instance.to_string()).map_or(0, Lane::held)
    }

    /// How many runs have slots, over all instances.
    pub fn held(&self) -> usize {
        self.lanes.values().map(Lane::held).sum()
    }

    /// How many runs wait, over all instances.
    pub fn queued(&self) -> usize {
        self.lanes.values().map(Lane::queued).sum()
    }

    /// The runs that are known, so that those which are gone can be released.
    pub fn known(&self) -> impl Iterator<Item = RunUid> + '_ {
        self.of_run.keys().copied()
    }

    /// Whether a queued run's new place is to be written now; if so, it counts as written. The first one always is.
    pub fn may_write_position(&mut self, run: RunUid, position: u32, now: Timestamp) -> bool {
        let Some(instance) = self.of_run.get(&run).cloned() else {
            return true;
        };
        self.lane(&instance).may_write_position(run, position, now)
    }

    fn lane(&mut self, instance: &InstanceRef) -> &mut Lane {
        self.lanes.entry(instance.to_string()).or_default()
    }

    fn lane_of(&self, run: RunUid) -> Option<&Lane> {
        self.lanes.get(&self.of_run.get(&run)?.to_string())
    }
}

#[cfg(test)]
mod tests;
