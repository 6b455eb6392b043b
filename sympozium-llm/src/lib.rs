//! Everything around a model: providers, the agent loop, the built-in tools, and the gateway that holds the keys.

pub mod agent;
#[cfg(any(feature = "openai", feature = "anthropic", feature = "decoders"))]
#[doc(hidden)]
pub mod fuzz_entry;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "http")]
pub mod http;
#[cfg(any(feature = "http", feature = "scripted", feature = "decoders"))]
pub mod providers;
pub mod retry;
#[cfg(feature = "runner")]
pub mod runner;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "decoders",
    feature = "runner"
))]
mod sse;
#[cfg(feature = "runner")]
pub mod tools;
#[cfg(any(feature = "gateway", feature = "runner"))]
mod windows;
