//! Contracts and pure decisions for running AI agents as isolated, policy-bound workloads.
//!
//! This crate is what every other part of Sympozium agrees on. By default it holds no client, no runtime, no clock and
//! no environment: only types, traits, and functions from facts to decisions. Engines for its own traits (SQL stores,
//! the mailbox on disk, the local executor) are features that are off by default.
//!
//! | Question | Module |
//! | --- | --- |
//! | What do people, models and tools say to each other? | [`chat`] |
//! | How is a model, tool, chat platform, skill source plugged in? | [`llm`], [`tool`], [`channel`], [`skill`] |
//! | What may a run do, and which rule says so? | [`policy`] |
//! | What is a run, and what comes next for it? | [`run`] |
//! | What does a run remember? | [`memory`], [`store`] |
//! | How do the containers of a run talk to each other and to the gateway? | [`ipc`], [`gateway`] |
//! | How do parts of an installation talk? | [`bus`] |

pub mod auth;
#[cfg(all(unix, feature = "bridge"))]
pub mod bridge;
pub mod bus;
pub mod channel;
pub mod chat;
#[cfg(feature = "confine")]
pub mod confine;
pub mod error;
#[doc(hidden)]
pub mod fuzz_entry;
pub mod gateway;
pub mod ids;
pub mod ipc;
#[cfg(all(unix, feature = "ipc"))]
pub mod jail;
pub mod llm;
#[cfg(all(unix, feature = "local"))]
pub mod local;
pub mod memory;
pub mod policy;
pub mod run;
pub mod skill;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tool;
#[cfg(all(unix, feature = "toolbox"))]
pub mod toolbox;
