//! An installation: its objects, what they may do, and what a real API server says to them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, in its helpers too"
)]

mod cluster;
mod fence;
mod made;
mod manifests;
#[path = "../pod_security/mod.rs"]
mod pod_security;
mod rights;
mod scene;
