//! The objects of runs and instances: what they look like, what holds for every one of them, and what is refused.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, in its helpers too"
)]

mod bounds;
mod every_pod;
mod instances;
mod names;
mod restricted;
mod rights;
mod runs;
mod scene;
