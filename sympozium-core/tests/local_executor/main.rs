//! Local runs with small shell scripts as their agents.
#![cfg(all(unix, feature = "local", feature = "testing"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something unexpected has to fail"
)]

mod bridge;
mod contract;
mod processes;
mod refusals;
mod scripts;
mod sweeping;
