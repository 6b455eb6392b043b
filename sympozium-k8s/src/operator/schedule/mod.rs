//! What comes next for a schedule: [`decide`], purely.

mod decide;
mod template;

pub use decide::{Decision, LiveRun, View, decide, reads};
pub use template::{SCHEDULE_LABEL, run_name, scheduled_run};
