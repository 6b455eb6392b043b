//! The `sympozium` command as people and programs meet it: the real program, a data folder of its own per test.
#![cfg(feature = "cli")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]
#![expect(clippy::print_stdout, reason = "a test that can't run here says so")]

mod canary;
mod first_run;
mod gateway;
mod interrupts;
mod isolation;
mod limits;
mod machine;
mod outputs;
mod place;
mod refusal;
mod sessions_and_memory;
mod terminal;
mod without_runs;
mod wrong_input;
