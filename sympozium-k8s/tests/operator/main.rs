//! The operator against a small API server in memory.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, in its helpers too"
)]

mod cluster;
mod faults;
mod leaders;
mod memory;
mod real;
mod runs;
mod scene;
mod schedules;
mod server;
mod statuses;
