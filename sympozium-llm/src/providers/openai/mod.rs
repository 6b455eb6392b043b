//! OpenAI's Chat Completions, and every server that speaks them: Azure OpenAI, Ollama, and compatible ones.
//!
//! | Question | Where |
//! | --- | --- |
//! | Which server, where, with which key? | [`ChatCompletions`], data |
//! | What is asked? | `encode`, pure |
//! | What does an answer mean? | `decode`, pure |
//! | The form of both on the wire | `wire`, private |
//!
//! A call always streams. Reasoning of earlier turns is not sent back: this wire format has no place for it.

mod decode;
mod encode;
mod factory;
mod provider;
mod wire;

pub(super) use decode::Decoder;
pub use factory::{ApiStyle, ChatCompletions};
