//! The one chat vocabulary: what people, models and tools say to each other, independent of any provider's wire format.
//!
//! These types are also the wire between runner and gateway (see [`crate::gateway`]), so every change here is a change
//! of that wire.

mod event;
mod message;
mod request;
mod shorten;

pub use event::{Accumulator, ChatEvent, FinishReason, Usage};
pub use message::{Message, Part, Role, Thinking, ToolCall, ToolResult};
pub use request::{ChatRequest, ChatResponse, ThinkingEffort, ToolChoice, ToolSpec};
pub use shorten::{Shorten, shorten_tool_output, well_formed};
