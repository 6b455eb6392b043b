//! The operator: what comes next for runs, instances, packs, policies and schedules, and the loop that does it.
//!
//! | Question | Module |
//! | --- | --- |
//! | What comes next for a run? | [`run`] |
//! | Who may be under way? | [`slots`] |
//! | And for a schedule, an instance, a policy, a pack? | [`schedule`], [`instance`], [`policy`], [`pack`] |
//! | How is it said? | [`conditions`] |

mod apply;
mod clock;
pub mod conditions;
mod error;
pub mod instance;
pub mod lead;
pub mod pack;
pub mod policy;
pub mod queue;
pub mod run;
pub mod schedule;
pub mod slots;
pub mod watch;

pub use apply::{Applier, FIELD_MANAGER, Kind};
pub use clock::{Clock, SystemClock};
pub use error::Error;
