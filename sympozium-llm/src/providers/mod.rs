//! Model providers: one module per wire format, and a registry that makes them by name.
//!
//! | Name | Wire format | Module |
//! | --- | --- | --- |
//! | `openai`, `azure-openai`, `ollama`, `openai-compatible`, `custom` | OpenAI's Chat Completions | [`openai`] |
//! | `anthropic` | Anthropic's Messages | [`anthropic`] |
//! | whatever it is given | none: a YAML scenario | [`scripted`] |
//!
//! A provider makes one attempt per call and says by an [`LlmError`](sympozium_core::llm::LlmError) what went wrong; it
//! repeats nothing, meters nothing, keeps nothing between calls, and reads no environment. Dropping its stream closes
//! the connection. Wire types never leave their module.
//!
//! Begin with [`ProviderRegistry`].

#[cfg(feature = "anthropic")]
pub mod anthropic;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod arguments;
#[cfg(any(feature = "openai", feature = "anthropic", feature = "decoders"))]
pub(crate) mod decode;
#[cfg(feature = "openai")]
pub mod openai;
#[cfg(feature = "http")]
mod registry;
#[cfg(test)]
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod sample;
#[cfg(feature = "scripted")]
pub mod scripted;
#[cfg(feature = "http")]
mod setup;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod transport;

#[cfg(feature = "http")]
pub use registry::ProviderRegistry;
#[cfg(feature = "http")]
pub use setup::{ProviderFactory, ProviderSettings, SetupError};
