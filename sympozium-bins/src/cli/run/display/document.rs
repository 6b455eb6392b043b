//! `-o json`: everything about a run in one document. Pure.

use crate::cli::run::event::{Approval, Beginning, Ended, Event, Remembered, ToolAnswered, ToolCalled};
use serde::Serialize;
use serde_json::Value;
use sympozium_core::ids::RunUid;
use sympozium_core::ipc::ToolVerdict;

/// A run, told as a whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(flatten)]
    beginning: Beginning,
    tool_calls: Vec<Call>,
    approvals: Vec<Approval>,
    faults: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Remembered>,
    usage: Usage,
    #[serde(flatten)]
    ended: Option<Ended>,
}

/// What a run used.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    tool_calls: u32,
    duration_ms: u64,
}

/// A tool call and its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    id: String,
    tool: String,
    arguments: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<ToolVerdict>,
    is_error: bool,
    duration_ms: u64,
    output: String,
}

impl Document {
    /// Begins with a run's first event; nothing for any other.
    pub(super) fn begin(event: &Event) -> Option<Self> {
        let Event::Run(beginning) = event else {
            return None;
        };
        Some(Self {
            beginning: beginning.as_ref().clone(),
            tool_calls: Vec::new(),
            approvals: Vec::new(),
            faults: Vec::new(),
            memory: None,
            usage: Usage::default(),
            ended: None,
        })
    }

    /// Whose it is.
    pub(super) const fn uid(&self) -> RunUid {
        self.beginning.run.uid
    }

    /// Adds what an event says.
    pub(super) fn add(&mut self, event: &Event) {
        match event {
            Event::ToolCall(call) => self.tool_calls.push(Call::of(call)),
            Event::ToolResult(answer) => self.answer(answer),
            Event::Approval(approval) => self.approvals.push(approval.clone()),
            Event::Refused { what, detail } => self.faults.push(format!("{what}: {detail}")),
            Event::Fault { detail } => self.faults.push(detail.clone()),
            Event::Memory(remembered) => self.memory = Some(remembered.clone()),
            Event::Result(ended) => self.end(ended),
            // The text is in the result, and a document has no use for its pieces.
            Event::Run(_) | Event::Text { .. } | Event::Thinking { .. } | Event::Retry { .. } => {}
        }
    }

    /// Calls run in parallel, so the answer belongs to the last call of its id; a call that was not told stands alone.
    fn answer(&mut self, answer: &ToolAnswered) {
        let known = self.tool_calls.iter().rposition(|call| call.id == answer.id);
        let at = known.unwrap_or_else(|| {
            self.tool_calls.push(Call::of(&ToolCalled {
                id: answer.id.clone(),
                tool: answer.tool.clone(),
                arguments: Value::Null,
            }));
            self.tool_calls.len() - 1
        });
        if let Some(call) = self.tool_calls.get_mut(at) {
            call.verdict.clone_from(&answer.verdict);
            call.is_error = answer.is_error;
            call.duration_ms = answer.duration_ms;
            call.output.clone_from(&answer.output);
        }
    }

    fn end(&mut self, ended: &Ended) {
        if let Some(result) = &ended.result {
            self.usage = Usage {
                input_tokens: result.metrics.input_tokens,
                output_tokens: result.metrics.output_tokens,
                tool_calls: result.metrics.tool_calls,
                duration_ms: result.metrics.duration_ms,
            };
        }
        self.ended = Some(ended.clone());
    }
}

impl Call {
    fn of(call: &ToolCalled) -> Self {
        Self {
            id: call.id.clone(),
            tool: call.tool.clone(),
            arguments: call.arguments.clone(),
            verdict: None,
            is_error: false,
            duration_ms: 0,
            output: String::new(),
        }
    }
}
