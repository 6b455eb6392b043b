//! Whole runs: the real programs, the real gateway, a model that says what a test wants.
#![cfg(all(unix, feature = "cli", feature = "runner", feature = "toolbox"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets something unexpected has to fail, and one that can't be made here says so"
)]

mod by_hand;
#[cfg(target_os = "linux")]
mod isolated;
#[cfg(target_os = "linux")]
mod isolated_bench;
mod killed;
mod local;
mod model;
