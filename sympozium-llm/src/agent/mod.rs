//! The agent: a loop between a model and its tools.
//!
//! [`AgentLoop`] decides and does no IO. Start there.

mod answers;
mod budget;
mod outcome;
mod repeats;
mod turn;
#[cfg(test)]
mod turn_tests;

pub use outcome::{Failure, FailureClass, Outcome};
pub use repeats::RepeatLimits;
pub use turn::{AgentLoop, LoopConfig, ModelCall, Step, ToolRound};
