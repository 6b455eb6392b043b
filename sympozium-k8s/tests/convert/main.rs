//! From YAML to plans and policies.
#![cfg(feature = "yaml")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, in its helpers too"
)]

mod objects;
mod packs;
mod policies;
mod refusals;
mod runs;
