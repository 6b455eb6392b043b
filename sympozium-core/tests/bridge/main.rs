//! A bridge between a mailbox and a bus.
#![cfg(all(unix, feature = "bridge", feature = "testing"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, in its helpers too"
)]

mod buses;
mod carries;
mod ends;
mod killed;
mod place;
mod troubles;
