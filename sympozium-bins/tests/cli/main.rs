//! The `sympozium` command as people and programs meet it: the real program, a data folder of its own per test.
#![cfg(feature = "cli")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod canary;
mod first_run;
mod gateway;
mod interrupts;
mod outputs;
mod place;
mod sessions_and_memory;
mod terminal;
mod without_runs;
mod wrong_input;
