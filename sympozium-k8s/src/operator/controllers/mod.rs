//! The five controllers: each looks at one object, asks a pure function what comes next, and does it.
//!
//! They share one [`World`]: caches, queues, slots, and what the leader remembers of runs.

mod history;
mod instances;
mod memory;
mod memos;
mod names;
mod packs;
mod policies;
mod runs;
mod schedules;
mod sweep;
mod told;
mod world;

pub(in crate::operator) use instances::Instances;
pub(in crate::operator) use packs::Packs;
pub(in crate::operator) use policies::Policies;
pub(in crate::operator) use runs::Runs;
pub(in crate::operator) use schedules::Schedules;
pub(in crate::operator) use sweep::{rebuild, sweep};
pub use world::{CaBundle, Settings};
pub(in crate::operator) use world::{Parts, World};
