//! The agent: a loop between a model and its tools.
//!
//! [`AgentLoop`] decides and does no IO; [`Agent`] (feature `runner`) carries out what it decides. To embed an agent,
//! start with [`Agent::with_provider`]; the runner of a pod is `crate::runner`.

mod answers;
mod budget;
#[cfg(feature = "runner")]
mod client;
#[cfg(feature = "runner")]
mod deadline;
#[cfg(feature = "runner")]
mod driver;
#[cfg(all(test, feature = "runner"))]
mod driver_tests;
#[cfg(feature = "runner")]
mod gate;
#[cfg(feature = "runner")]
mod journal;
#[cfg(feature = "runner")]
mod observer;
mod outcome;
pub mod prompt;
mod repeats;
#[cfg(feature = "runner")]
mod tool_round;
mod turn;
#[cfg(test)]
mod turn_tests;

#[cfg(feature = "runner")]
pub(crate) use client::pause;
#[cfg(feature = "runner")]
pub use client::{ModelClient, ProviderClient, Turn, TurnEvent, TurnEvents};
#[cfg(feature = "runner")]
pub use driver::{Agent, AgentLimits, Finished};
#[cfg(feature = "runner")]
pub use gate::{Admission, ApprovalDecision, ApprovalRequest, Approver, Gate, NobodyApproves};
#[cfg(feature = "runner")]
pub use journal::CallJournal;
#[cfg(feature = "runner")]
pub use observer::{AgentEvent, Observer};
pub use outcome::{Failure, FailureClass, Outcome};
pub use repeats::RepeatLimits;
pub use turn::{AgentLoop, LoopConfig, ModelCall, Step, ToolRound};
