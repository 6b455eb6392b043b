//! Runs on this machine: an agent and its executors as child processes around a private `/ipc`, each in a sandbox
//! ([`LocalIsolation::Full`]) or without isolation. What does not hold is said for every run ([`LocalEvent::Shortfall`]).
//!
//! What it must not do: give any process an environment of its own accord (each is made from nothing), hold a key (the
//! gateway does, in the embedding program), leave anything running or lying about after a run.
//!
//! Entry type: [`LocalExecutor`]. It needs a [`RunGateway`]; a [`LocalApprover`] and [`LocalEvents`] are optional.

// Elsewhere there are no walls, but the decisions about them are still compiled.
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only Linux has sandboxes")
)]

mod begin;
mod bridge;
#[cfg(target_os = "linux")]
pub mod cgroup;
#[cfg(not(target_os = "linux"))]
#[path = "no_cgroup.rs"]
mod cgroup;
mod executor;
mod files;
mod fit;
mod holder;
mod limits;
mod machine;
mod no_walls;
mod place;
mod probe;
mod process;
mod result;
mod rlimits;
pub mod sandbox;
mod seams;
mod settings;
mod supervise;
mod tree;
mod view;
mod walled;
mod walls;

pub use executor::LocalExecutor;
pub use fit::shortfalls;
pub use limits::{Counts, LimitError, LocalLimits, sentence as limits_sentence};
pub use no_walls::NoWalls;
pub use place::Swept;
pub use probe::probe;
pub use rlimits::process_limits;
pub use seams::{
    LocalAnswer, LocalApprover, LocalEvent, LocalEvents, LocalProcess, NobodyAnswers, RunGateway,
};
pub use settings::{LocalIsolation, LocalProgram, LocalPrograms, LocalSettings, LocalWorkspace};
pub use walls::Walls;
