//! Sympozium's programs: everything below is composition of the library crates.
//!
//! | Question | Module |
//! | --- | --- |
//! | What does the `sympozium` command do? | `cli` (feature `cli`) |
//! | What does the gateway of an installation do? | `gateway` (feature `gateway`) |
//! | What runs in the places of a run: the agent, the executors of commands? | `entry` (features `runner`, `toolbox`, `sandbox`, `bridge`) |
//! | What keeps the runs of a cluster going? | `operator` (feature `operator`) |
//! | What have the services of an installation in common? | `service` |
//!
//! Only here are flags and environment read, logging set up, and exit codes chosen.

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(any(
    feature = "runner",
    feature = "toolbox",
    feature = "sandbox",
    feature = "bridge"
))]
pub mod entry;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "operator")]
pub mod operator;
#[cfg(any(feature = "gateway", feature = "operator"))]
mod service;

/// The allocator of musl's C library gives memory back to the kernel and asks for it again with nearly every tool call,
/// which is a third of such a turn. Programs for musl take this one; others keep their system's.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
