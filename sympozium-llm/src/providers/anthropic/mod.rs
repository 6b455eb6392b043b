//! Anthropic's Messages.
//!
//! | Question | Where |
//! | --- | --- |
//! | Where, with which key? | [`Messages`], data |
//! | What is asked? | `encode` and `thinking`, pure |
//! | What does an answer mean? | `decode`, pure |
//! | The form of both on the wire | `wire`, private |
//!
//! A call always streams. Reasoning goes back as it came, with its signature or in its encrypted form; reasoning of
//! other providers, which has neither, is left out.

mod decode;
mod encode;
mod provider;
mod thinking;
mod wire;

pub(super) use decode::Decoder;
pub use provider::Messages;
