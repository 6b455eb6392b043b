//! Sympozium's programs: everything below is composition of the library crates.
//!
//! | Question | Module |
//! | --- | --- |
//! | What does the `sympozium` command do? | `cli` (feature `cli`) |
//! | What runs in the places of a run: the agent, the executors of commands? | `entry` (features `runner`, `toolbox`, `sandbox`) |
//! | What keeps the runs of a cluster going? | `operator` (feature `operator`) |
//!
//! Only here are flags and environment read, logging set up, and exit codes chosen.

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(any(feature = "runner", feature = "toolbox", feature = "sandbox"))]
pub mod entry;
#[cfg(feature = "operator")]
pub mod operator;
