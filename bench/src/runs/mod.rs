//! Runs that are measured: [`Place`] starts the programs by hand, [`Local`] has the local executor do it.

mod local;
mod mailbox;
mod place;
mod watch;

pub(crate) use local::{Local, LocalRun, NotPossible};
pub(crate) use mailbox::Mailbox;
pub(crate) use place::Place;
use watch::Watch;

use std::path::Path;
use sympozium_core::run::RunPlan;

/// A run without policy, with room for the longest figure.
pub(crate) fn plan() -> RunPlan {
    let mut plan = sympozium_core::testing::run_plan("Do what the model says.");
    plan.limits.max_turns = 100;
    plan
}

/// What file tools find in a workspace.
fn fill(workspace: &Path) -> std::io::Result<()> {
    for name in ["notes.txt", "a.txt", "b.txt"] {
        std::fs::write(
            workspace.join(name),
            "A line of notes that says little.\n".repeat(30),
        )?;
    }
    Ok(())
}
