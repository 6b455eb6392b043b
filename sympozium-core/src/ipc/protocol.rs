//! What the files hold. Foreign agents and sidecars write them too, so unknown keys are tolerated.

use super::FileId;
use crate::ids::ToolName;
use crate::policy::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// `tools/<pack>/exec-request-<id>.json`: a command to execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecRequest {
    /// Names the request and its result.
    pub id: FileId,
    /// A shell command; with `args`, a program. Empty when `tool` is a typed tool.
    #[serde(default)]
    pub command: String,
    /// Arguments. If there are any, no shell is involved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Where to run it. Default: the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<String>,
    /// Seconds until it is killed: 1 to 120, default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// What it reads from standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// The tool that asks. Default: `execute_command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// The arguments of a typed tool; the executor makes the command line from its own template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
}

impl ExecRequest {
    /// A request of that id, everything else empty or at its default.
    pub fn new(id: FileId) -> Self {
        Self {
            id,
            command: String::new(),
            args: Vec::new(),
            work_dir: None,
            timeout: None,
            stdin: None,
            tool: None,
            arguments: None,
        }
    }

    /// What a person is shown and what is hashed when this request needs an approval: all of it but the id.
    pub fn approval_form(&self) -> Value {
        let mut form = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = form.as_object_mut() {
            object.remove("id");
        }
        form
    }
}

/// The SHA-256, in hex, of a JSON value as it is written.
pub fn approval_hash(form: &Value) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(form.to_string().as_bytes()))
}

/// `tools/<pack>/exec-result-<id>.json`: what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecResult {
    /// The request.
    pub id: FileId,
    /// Exit code; 128 + n after signal n, 124 when the time was up.
    pub exit_code: i32,
    /// Standard output, at most 50 KiB.
    #[serde(default)]
    pub stdout: String,
    /// Standard error, at most 50 KiB.
    #[serde(default)]
    pub stderr: String,
    /// The time was up.
    #[serde(default)]
    pub timed_out: bool,
    /// Bytes of standard output that were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stdout_cut: u64,
    /// Bytes of standard error that were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stderr_cut: u64,
    /// The executor refused it, and why. Nothing was executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// `messages/send-<id>.json`: a chat message to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendMessage {
    /// The platform.
    pub channel: String,
    /// The chat; empty = where the task came from.
    #[serde(default)]
    pub chat_id: String,
    /// What to say.
    pub text: String,
    /// How it is written, when the platform should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What to do with a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleAction {
    /// Make it.
    Create,
    /// Change it.
    Update,
    /// Let it rest.
    Suspend,
    /// Let it go on.
    Resume,
    /// Remove it.
    Delete,
}

/// `schedules/schedule-<id>.json`: a schedule to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRequest {
    /// Its name.
    pub name: String,
    /// What to do.
    pub action: ScheduleAction,
    /// Five cron fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// `spawn/request-<id>.json`: a run to spawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpawnRequest {
    /// The task.
    pub task: String,
    /// Instructions above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Only carried along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Packs, of those that the parent has.
    #[serde(default)]
    pub skills: Vec<String>,
}

/// What a chunk is a piece of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkKind {
    /// The answer.
    Text,
    /// Reasoning.
    Thinking,
    /// A tool call begins.
    ToolUse,
    /// A tool call has ended.
    ToolResult,
    /// The model is asked again; what was streamed of the turn is void.
    Retry,
}

/// What was decided about a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolVerdict {
    /// The answer.
    pub outcome: Outcome,
    /// The policy.
    pub policy: String,
    /// The rule in it.
    pub rule: String,
}

/// `output/stream-<n>.json`: a piece of what an agent says and does. `index` counts from 0 without gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamChunk {
    /// What it is a piece of.
    #[serde(rename = "type")]
    pub kind: ChunkKind,
    /// The text; of a tool call, its output shortened for display.
    #[serde(default)]
    pub content: String,
    /// Its place.
    pub index: u64,
    /// The tool call's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_id: Option<String>,
    /// The tool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The tool call's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// What was decided about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<ToolVerdict>,
    /// Milliseconds that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// It failed or was refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusPhase {
    /// The model is asked.
    Thinking,
    /// A tool works.
    ToolUse,
    /// The answer comes.
    Responding,
}

/// `output/status.json`: what an agent is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusUpdate {
    /// What.
    pub phase: StatusPhase,
    /// In words.
    #[serde(default)]
    pub message: String,
    /// The tool call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_id: Option<String>,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptStatus {
    /// It was taken over and will be tried.
    Accepted,
    /// It has reached its goal.
    Delivered,
    /// It is not allowed, or can't be done here.
    Refused,
    /// It was tried and failed.
    Failed,
}

/// `receipts/<id>.json`: what became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request.
    pub id: FileId,
    /// How far it has come.
    pub status: ReceiptStatus,
    /// In words, for the model.
    #[serde(default)]
    pub detail: String,
}

/// `approvals-out/request-<id>.json`: a tool call that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequest {
    /// Names the question and its answer.
    pub id: FileId,
    /// The tool.
    pub tool: ToolName,
    /// The exact arguments.
    pub arguments: Value,
    /// SHA-256, in hex, of the arguments' JSON as it will be executed.
    pub sha256: String,
    /// The policy that asks.
    pub policy: String,
    /// The rule in it.
    pub rule: String,
    /// The executor that will do it, when it is a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalAnswer {
    /// Do it.
    Approved,
    /// Don't.
    Denied,
}

/// `approvals/<id>.json`, and `approvals/<pack>/<id>.json`: a person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDecision {
    /// The question.
    pub id: FileId,
    /// The answer.
    pub answer: ApprovalAnswer,
    /// The hash of what was shown; only those bytes may be executed.
    pub sha256: String,
    /// Why, for the model.
    #[serde(default)]
    pub reason: String,
}

/// What the event `tool.approval.response` holds: a person's answer, and who has to see it besides the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalResponse {
    /// The answer.
    #[serde(flatten)]
    pub decision: ApprovalDecision,
    /// The executor that will do it ([`ApprovalRequest::target`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}
