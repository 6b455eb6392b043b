//! From a pod's token to a run, against an API server that is scripted.
#![cfg(feature = "identity")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod api;
mod bus;
mod faults;
mod floods;
mod keys;
mod scene;
mod tokens;
