//! OpenAI's Chat Completions, and every server that speaks them: Azure OpenAI, Ollama, and compatible ones.
//!
//! | Question | Where |
//! | --- | --- |
//! | Which server, where, with which key? | [`ChatCompletions`], data |
//! | What is asked? | `encode`, pure |
//! | The form of that on the wire | `wire`, private |
//!
//! What an answer means is told by `decode`. A call always streams. Reasoning of earlier turns is not sent back: this wire format has no place for it.

mod encode;
mod factory;
mod provider;
mod wire;

pub use factory::{ApiStyle, ChatCompletions};
