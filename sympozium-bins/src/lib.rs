//! Sympozium's programs, as functions: they read flags and environment, choose implementations, and compose.
//!
//! What belongs here is only composition; nothing depends on this crate. What can be decided is decided in
//! `sympozium-core`, what is around a model is in `sympozium-llm`.
//!
//! | Program | Module | Feature |
//! | --- | --- | --- |
//! | `sympozium-runner`, `sympozium-toolbox` | [`entry`] | `runner`, `toolbox` |

#[cfg(any(feature = "runner", feature = "toolbox"))]
pub mod entry;
