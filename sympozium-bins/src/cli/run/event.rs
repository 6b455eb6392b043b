//! What is told of a run, in the form in which `-o jsonl` prints it. Pure.

use crate::cli::failure::Exit;
use serde::Serialize;
use serde_json::Value;
use sympozium_core::ids::RunUid;
use sympozium_core::ipc::{ApprovalAnswer, ApprovalRequest, ChunkKind, StreamChunk, ToolVerdict};
use sympozium_core::local::{LocalAnswer, LocalEvent, LocalProcess};
use sympozium_core::policy::Verdict;
use sympozium_core::run::{AgentResult, RunRef};

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum Event {
    /// It begins, or would have begun. Always the first.
    Run(Box<Beginning>),
    /// More of the answer's text.
    Text {
        /// The piece.
        text: String,
    },
    /// More of the model's reasoning.
    Thinking {
        /// The piece.
        text: String,
    },
    /// The model is asked again; the text since the last tool call is void.
    Retry {
        /// Why.
        detail: String,
    },
    /// A tool is called.
    ToolCall(ToolCalled),
    /// A tool call was answered.
    ToolResult(ToolAnswered),
    /// A person, or who stands for them, answered a question.
    Approval(Approval),
    /// Something that needs a cluster was refused.
    Refused {
        /// What: `message`, `spawn`, `schedule`.
        what: String,
        /// Why.
        detail: String,
    },
    /// Something went wrong that the run itself may survive.
    Fault {
        /// What.
        detail: String,
    },
    /// What the agent wished to remember was merged.
    Memory(Remembered),
    /// It has ended. Always the last.
    Result(Box<Ended>),
}

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beginning {
    /// Namespace, name and UID.
    pub(super) run: RunRef,
    /// `namespace/name`.
    pub(super) instance: String,
    /// The provider.
    pub(super) provider: String,
    /// The model.
    pub(super) model: String,
    /// The policies that hold, in order.
    pub(super) policies: Vec<String>,
    /// Nobody gave a policy; the built-in one allows everything.
    pub(super) default_policy: bool,
    /// How it is kept apart from this machine: `full` or `none`.
    pub(super) isolation: &'static str,
    /// With `full`, which walls and limits hold, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) isolation_detail: Option<String>,
    /// What of it does not hold here, and what else people should know.
    pub(super) notes: Vec<String>,
    /// What the policies say about it.
    pub(super) verdicts: Vec<Verdict>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ToolCalled {
    /// The call's id.
    pub(super) id: String,
    /// The tool.
    pub(super) tool: String,
    /// Its arguments.
    pub(super) arguments: Value,
}

/// An answered call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolAnswered {
    /// The call's id.
    pub(super) id: String,
    /// The tool.
    pub(super) tool: String,
    /// Which policy decided what, by which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verdict: Option<ToolVerdict>,
    /// It failed or was refused.
    pub(super) is_error: bool,
    /// How long it took.
    pub(super) duration_ms: u64,
    /// What came of it, shortened.
    pub(super) output: String,
}

/// An answered question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Approval {
    /// The tool.
    pub(super) tool: String,
    /// Exactly what would be executed.
    pub(super) arguments: Value,
    /// The policy that asks.
    pub(super) policy: String,
    /// The rule in it.
    pub(super) rule: String,
    /// The answer.
    pub(super) answer: ApprovalAnswer,
    /// Why.
    pub(super) reason: String,
}

/// A merged memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remembered {
    /// Bytes of the memory now.
    pub(super) bytes: usize,
    /// Sections that had to go to keep its cap.
    pub(super) dropped: Vec<String>,
    /// Bytes that were cut off at its end.
    pub(super) cut_bytes: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    /// `Succeeded`, `Failed`, `Cancelled`; `Refused` when it never began.
    pub(super) phase: &'static str,
    /// What the agent left; nothing when it left none.
    pub(super) result: Option<AgentResult>,
    /// Why it did not succeed, in one sentence.
    pub(super) error: Option<String>,
    /// What its model calls cost, in millionths of a US dollar; nothing when no prices are known.
    #[serde(rename = "costMicroUSD", skip_serializing_if = "Option::is_none")]
    pub(super) cost_micro_usd: Option<u64>,
    /// The exit code that it stands for.
    pub(super) exit_code: u8,
}

impl Ended {
    /// The end of a run that never began.
    pub(super) const fn unbegun(phase: &'static str, exit: Exit, error: String) -> Self {
        Self {
            phase,
            result: None,
            error: Some(error),
            cost_micro_usd: None,
            exit_code: exit.code(),
        }
    }
}

/// An event with its run, as one line of `-o jsonl`.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    /// The run.
    pub(super) uid: RunUid,
    /// What happened.
    #[serde(flatten)]
    pub(super) event: &'a Event,
}

impl Event {
    /// What people are told of an executor's event; nothing of those that are told otherwise.
    pub(super) fn of(event: LocalEvent) -> Option<Self> {
        match event {
            LocalEvent::Stream(chunk) => of_chunk(chunk),
            LocalEvent::Answered { request, answer } => Some(Self::Approval(approval(request, answer))),
            LocalEvent::Refused { what, detail } => Some(Self::Refused {
                what: what.to_owned(),
                detail,
            }),
            LocalEvent::Rejected { name, reason } => Some(Self::Fault {
                detail: format!("The agent's file {name} is not usable: {reason}"),
            }),
            LocalEvent::Fault(detail) => Some(Self::Fault { detail }),
            LocalEvent::Ended {
                process: process @ LocalProcess::Toolbox(_),
                exit_code,
                complaint,
            } if exit_code != 0 => Some(Self::Fault {
                detail: format!("The {process} ended with exit code {exit_code}. {complaint}"),
            }),
            // Shortfalls are told when the run begins, how the agent ended in its result.
            LocalEvent::Shortfall(_)
            | LocalEvent::Started { .. }
            | LocalEvent::Ended { .. }
            | LocalEvent::Status(_)
            | LocalEvent::Asked(_) => None,
            // Events that come later are shown once somebody has decided how.
            _ => None,
        }
    }
}

fn of_chunk(chunk: StreamChunk) -> Option<Event> {
    let id = chunk.tool_id.unwrap_or_default();
    let tool = chunk.tool.unwrap_or_default();
    Some(match chunk.kind {
        ChunkKind::Text if chunk.content.is_empty() => return None,
        ChunkKind::Text => Event::Text { text: chunk.content },
        ChunkKind::Thinking if chunk.content.is_empty() => return None,
        ChunkKind::Thinking => Event::Thinking { text: chunk.content },
        ChunkKind::Retry => Event::Retry {
            detail: chunk.content,
        },
        ChunkKind::ToolUse => Event::ToolCall(ToolCalled {
            id,
            tool,
            arguments: chunk.arguments.unwrap_or_default(),
        }),
        ChunkKind::ToolResult => Event::ToolResult(ToolAnswered {
            id,
            tool,
            verdict: chunk.verdict,
            is_error: chunk.is_error,
            duration_ms: chunk.duration_ms.unwrap_or_default(),
            output: chunk.content,
        }),
    })
}

fn approval(request: ApprovalRequest, answer: LocalAnswer) -> Approval {
    Approval {
        tool: request.tool.to_string(),
        arguments: request.arguments,
        policy: request.policy,
        rule: request.rule,
        answer: answer.answer,
        reason: answer.reason,
    }
}
