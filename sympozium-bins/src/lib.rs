//! Sympozium's programs: everything below is composition of the library crates.
//!
//! | Question | Module |
//! | --- | --- |
//! | What does the `sympozium` command do? | `cli` (feature `cli`) |
//! | What does the gateway of an installation do? | `gateway` (feature `gateway`) |
//! | What runs in the places of a run: the agent, the executors of commands? | `entry` (features `runner`, `toolbox`, `sandbox`) |
//!
//! Only here are flags and environment read, logging set up, and exit codes chosen.

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(any(feature = "runner", feature = "toolbox", feature = "sandbox"))]
pub mod entry;
#[cfg(feature = "gateway")]
pub mod gateway;
