//! The gateway as its clients see it: over its sockets, with stores, and with providers that fail.
#![cfg(all(feature = "gateway", feature = "runner"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod budget;
mod fetch;
mod keyed;
mod leaving;
mod network;
mod openai;
mod providers;
mod proxy;
mod scene;
mod server;
mod steps;
mod stores;
mod transcript;
mod web;
