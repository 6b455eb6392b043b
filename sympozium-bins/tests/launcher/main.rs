//! The launcher of sandboxes on this very machine, started by root and by an ordinary user. The programs under test are
//! those of `/usr`.
#![cfg(all(target_os = "linux", feature = "sandbox"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets something unexpected has to fail, and one that can't run has to say so"
)]

mod ends;
mod holder;
mod owners;
mod seen;
mod start;
mod tries;
