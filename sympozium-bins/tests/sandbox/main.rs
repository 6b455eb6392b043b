//! Attempts to get out of a run's sandbox, each a test with its own name.
//!
//! An attempt is a shell script. It is made from a skill's shell and from the runner's place, as root and as an ordinary
//! user, and must fail; and where that does no harm also without a sandbox, where it must succeed, so that a script which
//! proves nothing is found out.
#![cfg(all(target_os = "linux", target_arch = "x86_64", feature = "cli"))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic and say what it skips, in its helpers too"
)]

#[macro_use]
mod attack;
mod files;
mod kernel;
mod limits;
mod machine;
mod mailbox;
mod many_runs;
mod network;
mod outputs;
mod processes;
mod runner;
mod secrets;
mod who;
