//! What an agent leaves behind: `output/result.json`, also printed between the result markers.

use serde::{Deserialize, Serialize};

/// How an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultStatus {
    /// It has an answer.
    Success,
    /// It has none.
    Error,
}

/// A bound that ended a run early. The work until then is kept, and the answer says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitHit {
    /// The most model turns were taken.
    Turns,
    /// The same calls were made again and again.
    Loop,
    /// The time was up.
    Deadline,
    /// The budget was used up.
    Budget,
    /// The model's output limit cut the answer.
    Output,
}

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResultMetrics {
    /// Milliseconds from the agent's start to its end.
    pub duration_ms: u64,
    /// Input tokens of all model calls.
    pub input_tokens: u64,
    /// Output tokens of all model calls.
    pub output_tokens: u64,
    /// Tool calls, refused ones included.
    pub tool_calls: u32,
}

/// What an agent leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentResult {
    /// How it ended.
    pub status: ResultStatus,
    /// Its answer; with an error, what was done so far.
    #[serde(default)]
    pub response: String,
    /// Why there is none, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Counts.
    #[serde(default)]
    pub metrics: ResultMetrics,
    /// The bound that ended it early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitHit>,
}
