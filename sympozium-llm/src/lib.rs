//! Everything around a model: providers, the agent loop, the built-in tools, and the gateway that holds the keys.

pub mod agent;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "http")]
pub mod http;
pub mod retry;
#[cfg(feature = "runner")]
pub mod runner;
#[cfg(feature = "runner")]
pub mod tools;
