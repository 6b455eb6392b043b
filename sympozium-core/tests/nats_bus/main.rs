//! The bus on NATS passes the suite on a real server that is killed in between, and answers for what goes wrong around it.
//!
//! The tests need `SYMPOZIUM_TEST_NATS`: the path of a `nats-server`. Each starts its own.
#![cfg(all(feature = "testing", feature = "nats"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic, in its helpers too"
)]

mod contract;
mod faults;
mod peer;
