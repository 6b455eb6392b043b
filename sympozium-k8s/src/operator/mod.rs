//! The operator: what comes next for runs, instances, packs, policies and schedules, and the loop that does it.
//!
//! Each controller observes, asks a pure function what comes next, and does it. The pure half has neither client nor
//! clock: all it needs to know is in its arguments. Another program embeds it by [`Operator::builder`].
//!
//! | Question | Module |
//! | --- | --- |
//! | What comes next for a run? | [`run`] |
//! | And for a schedule, an instance, a policy, a pack? | [`schedule`], [`instance`], [`policy`], [`pack`] |
//! | Who may be under way? | [`slots`] |
//! | How is it said? | [`conditions`] |
//! | What is in the cluster? | [`watch`] |
//! | What is looked at, and when? | [`queue`] |
//! | Who leads? | [`lead`] |

mod apply;
mod build;
mod clock;
pub mod conditions;
mod config_map_memory;
mod controllers;
mod error;
mod hear;
pub mod instance;
pub mod lead;
mod operate;
pub mod pack;
pub mod policy;
pub mod queue;
mod results;
pub mod run;
pub mod schedule;
pub mod slots;
pub mod watch;
mod watching;

pub use apply::{Applier, FIELD_MANAGER, Kind};
pub use build::{Controller, OperatorBuilder};
pub use clock::{Clock, SystemClock};
pub use config_map_memory::ConfigMapMemories;
pub use controllers::{CaBundle, Settings};
pub use error::Error;
pub use operate::{Health, Operator};
pub use results::{LogMarkers, StepLogResults};
