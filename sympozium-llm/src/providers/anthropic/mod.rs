//! Anthropic's Messages.
//!
//! | Question | Where |
//! | --- | --- |
//! | Where, with which key? | [`Messages`], data |
//! | What is asked? | `encode` and `thinking`, pure |
//! | The form of that on the wire | `wire`, private |
//!
//! What an answer means is told by `decode`. A call always streams. Reasoning goes back as it came, with its signature or in its encrypted form; reasoning of
//! other providers, which has neither, is left out.

mod encode;
mod provider;
mod thinking;
mod wire;

pub use provider::Messages;
