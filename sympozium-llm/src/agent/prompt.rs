//! The system prompt and the first message. Pure.
