//! What a driver tells while it works: [`AgentEvent`], to an [`Observer`].

use std::time::Duration;
use sympozium_core::chat::{FinishReason, ToolCall, ToolResult, Usage};
use sympozium_core::gateway::RetryNotice;
use sympozium_core::ids::StepId;
use sympozium_core::policy::Verdict;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AgentEvent<'a> {
    /// A model call begins.
    TurnStarted {
        /// Its step.
        step: &'a StepId,
        /// True when it is the last one.
        is_last: bool,
    },
    /// More of the answer's text.
    Text(&'a str),
    /// More of the model's reasoning.
    Thinking(&'a str),
    /// The provider is asked again; what was told of this turn is void.
    Retry(&'a RetryNotice),
    /// A model call was answered.
    TurnEnded {
        /// What it used, if the provider said so.
        usage: Option<&'a Usage>,
        /// Why the model stopped.
        finish: FinishReason,
    },
    /// A call waits for a person.
    AwaitingApproval {
        /// The call.
        call: &'a ToolCall,
        /// Why.
        verdict: &'a Verdict,
    },
    /// A call is about to be answered.
    ToolStarted {
        /// The call.
        call: &'a ToolCall,
    },
    /// A call was answered.
    ToolFinished {
        /// The call.
        call: &'a ToolCall,
        /// The answer.
        result: &'a ToolResult,
        /// The policy's verdict; `None` without policies, and for calls that could not be made at all.
        verdict: Option<&'a Verdict>,
        /// How long it took, waiting for a person included.
        took: Duration,
    },
}

/// Is told what happens. Must be quick: the driver waits for it. `()` ignores everything.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn on(&self, event: AgentEvent<'_>);
}

impl Observer for () {
    fn on(&self, _: AgentEvent<'_>) {}
}

impl<F: Fn(AgentEvent<'_>) + Send + Sync> Observer for F {
    fn on(&self, event: AgentEvent<'_>) {
        self(event);
    }
}
