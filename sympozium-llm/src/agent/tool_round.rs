//! Runs the calls of one answer at once, each through the gate, and keeps their order.

use super::ToolRound;
use super::deadline::Deadline;
use super::gate::{Admission, ApprovalRequest, Gate, denied};
use super::journal::CallJournal;
use super::observer::{AgentEvent, Observer};
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use sympozium_core::chat::{ToolCall, ToolResult};
use sympozium_core::ids::{RunUid, StepId, derived_id};
use sympozium_core::policy::{Outcome, Verdict};
use sympozium_core::tool::{ToolContext, ToolOutput, ToolSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a tool may take to stop.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) struct RoundContext<'a> {
    pub(crate) run: RunUid,
    pub(crate) tools: &'a ToolSet,
    pub(crate) gate: &'a Gate,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) journal: &'a dyn CallJournal,
    pub(crate) deadline: &'a Deadline,
    /// Cancelled when the run is cancelled or its time is nearly up.
    pub(crate) stop: &'a CancellationToken,
    pub(crate) parallel: usize,
}

/// One result per call, in the order of the calls.
pub(crate) async fn run_round(context: &RoundContext<'_>, round: &ToolRound) -> Vec<ToolResult> {
    futures::stream::iter(&round.calls)
        .map(|(index, call)| run_call(context, &round.step, *index, call))
        .buffered(context.parallel)
        .collect()
        .await
}

async fn run_call(context: &RoundContext<'_>, step: &StepId, index: u32, call: &ToolCall) -> ToolResult {
    let started = Instant::now();
    context.observer.on(AgentEvent::ToolStarted { call });
    let verdict = context.gate.verdict(&call.name);
    let id = derived_id(context.run, step, index);
    let result = if let Some(known) = context.journal.find(id, call).await {
        known
    } else {
        let result = answer(context, step, index, call, verdict.as_ref()).await;
        context.journal.keep(id, call, &result).await;
        result
    };
    context.observer.on(AgentEvent::ToolFinished {
        call,
        result: &result,
        verdict: verdict.as_ref(),
        took: started.elapsed(),
    });
    result
}

async fn answer(
    context: &RoundContext<'_>,
    step: &StepId,
    index: u32,
    call: &ToolCall,
    verdict: Option<&Verdict>,
) -> ToolResult {
    let output = match admit(context, step, index, call, verdict).await {
        Admission::Refused { message } => ToolOutput::error(message),
        Admission::Granted => invoke(context, step, index, call).await,
    };
    ToolResult {
        id: call.id.clone(),
        content: output.content,
        is_error: output.is_error,
    }
}

async fn admit(
    context: &RoundContext<'_>,
    step: &StepId,
    index: u32,
    call: &ToolCall,
    verdict: Option<&Verdict>,
) -> Admission {
    let Some(verdict) = verdict else {
        return Admission::Granted;
    };
    match verdict.outcome {
        Outcome::Allow => Admission::Granted,
        Outcome::Deny => Admission::Refused {
            message: denied(verdict, &call.name),
        },
        Outcome::Ask => {
            context
                .observer
                .on(AgentEvent::AwaitingApproval { call, verdict });
            let request = ApprovalRequest {
                id: derived_id(context.run, step, index),
                step: step.clone(),
                call: call.clone(),
                verdict: verdict.clone(),
            };
            let _held = context.deadline.hold();
            context.gate.ask(&request, context.stop).await
        }
    }
}

async fn invoke(context: &RoundContext<'_>, step: &StepId, index: u32, call: &ToolCall) -> ToolOutput {
    // The loop passes on only calls of tools that exist.
    let Some(tool) = context.tools.get(&call.name) else {
        return ToolOutput::error(format!("There is no tool {}.", call.name));
    };
    let tool_context = ToolContext {
        run: context.run,
        step: step.clone(),
        index,
        call: call.id.clone(),
        cancel: context.stop.child_token(),
    };
    // A tool may be foreign code; its panic must not take the run's work with it.
    let work = AssertUnwindSafe(tool.invoke(&tool_context, call.arguments.clone())).catch_unwind();
    let stopped = async {
        context.stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        output = work => output.unwrap_or_else(|_| ToolOutput::error("The tool crashed; this is a fault in the tool itself.")),
        () = stopped => ToolOutput::error("Stopped before it was done: the run's time is nearly up, or it was cancelled."),
    }
}
