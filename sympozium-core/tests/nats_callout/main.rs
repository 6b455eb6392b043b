//! The auth callout on a real server: who gets in, what they may do there, and what happens when one of the parts is gone.
//!
//! The tests need `SYMPOZIUM_TEST_NATS`: the path of a `nats-server`. Each starts its own.
#![cfg(all(feature = "testing", feature = "nats-callout"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic, in its helpers too"
)]

mod admission;
mod installation;
mod permissions;
