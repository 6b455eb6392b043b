//! Answers in the form of Anthropic's Messages.

mod decoder;
mod wire;

pub(in crate::providers) use decoder::Decoder;
