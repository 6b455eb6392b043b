//! Answers in the form of OpenAI's Chat Completions.

mod decoder;
mod wire;

pub(in crate::providers) use decoder::Decoder;
