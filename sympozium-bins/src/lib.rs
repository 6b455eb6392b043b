//! Sympozium's programs: everything below is composition of the library crates.
//!
//! | Question | Module |
//! | --- | --- |
//! | What does the `sympozium` command do? | [`cli`] (feature `cli`) |
//!
//! Only here are flags and environment read, logging set up, and exit codes chosen.

#[cfg(feature = "cli")]
pub mod cli;
