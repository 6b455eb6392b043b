//! What the agent says and does, live, as files in `output/`: `stream-<n>.json` and `status.json`.
//!
//! Pieces of text that come quickly are put together, so that a file holds what a person reads at once. When nobody takes
//! the files away, no more are written, and what is held back is cut: the stream is for watching, the result is elsewhere.
//!
//! Entry types: [`StreamObserver`] takes events, [`StreamWriter`] writes until it is finished.

mod pending;
mod write;

pub(crate) use write::{StreamObserver, StreamWriter};
