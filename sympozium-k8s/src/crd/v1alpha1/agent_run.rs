//! `AgentRun`: one task given to one agent.

use super::{
    duration::GoDuration, env::EnvVar, references::RbacRuleSpec, references::SkillRefSpec,
    sandbox::RunSandboxSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sympozium_core::{chat::ThinkingEffort, run::Cleanup, run::RunPhase};

/// One task for an agent of an instance. Immutable once created, but for `cancel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "sympozium.ai",
    version = "v1alpha1",
    kind = "AgentRun",
    plural = "agentruns",
    singular = "agentrun",
    namespaced,
    status = "AgentRunStatus",
    derive = "PartialEq",
    shortname = "run",
    category = "sympozium",
    doc = "One task given to an agent of a SympoziumInstance. Its spec can't change once it is created, but for `cancel`.",
    selectable = ".status.phase",
    selectable = ".spec.instanceRef",
    printcolumn = r#"{"name":"Instance","type":"string","jsonPath":".spec.instanceRef"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Pod","type":"string","jsonPath":".status.podName"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Model","type":"string","jsonPath":".spec.model.model","priority":1}"#,
    printcolumn = r#"{"name":"Tokens","type":"integer","jsonPath":".status.tokenUsage.totalTokens","priority":1}"#,
    printcolumn = r#"{"name":"Queue","type":"integer","jsonPath":".status.queuePosition","priority":1}"#,
    printcolumn = r#"{"name":"Completed","type":"date","jsonPath":".status.completedAt","priority":1}"#,
    printcolumn = r#"{"name":"Error","type":"string","jsonPath":".status.error","priority":1}"#
)]
pub struct AgentRunSpec {
    /// SympoziumInstance of the same namespace that the run belongs to.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub instance_ref: String,
    /// Which of the author's agents this is. Only carried along, into labels and transcripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub agent_id: Option<String>,
    /// Conversation that the run continues: runs of one instance with one key share a history. Absent or empty = a conversation of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub session_key: Option<String>,
    /// What the agent is to do. At most 32,768 characters.
    #[schemars(length(min = 1, max = 32768))]
    pub task: String,
    /// The run that spawned this one. Written by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentSpec>,
    /// Instructions above the task. At most 16,384 characters. Default: the instance's, else built-in ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub system_prompt: Option<String>,
    /// Model to use; what is left out comes from the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelSpec>,
    /// Sandbox for commands. Default: the instance's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<RunSandboxSpec>,
    /// Skills of the run. Absent = the instance's; an empty list = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub skills: Option<Vec<SkillRefSpec>>,
    /// Tools that the run may use, narrower than its policies allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_policy: Option<ToolPolicySpec>,
    /// How long the run may take, from 1s to 24h. Default: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('1s') && duration(self) <= duration('24h')",
        "message": "must be from 1s to 24h",
    }]))]
    pub timeout: Option<GoDuration>,
    /// What happens to the Job: `delete` removes it 300 s after the end, `keep` leaves it until the run is deleted.
    #[serde(default)]
    pub cleanup: Cleanup,
    /// Agent image other than the built-in runner. Policies may limit it by `images.allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,
    /// Literal environment variables of the agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,
    /// Set to true to end the run. Can't be taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel: bool,
}

/// Link from a spawned run to the one that spawned it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParentSpec {
    /// Name of the spawning run, in the same namespace.
    #[schemars(length(min = 1, max = 52), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub run_name: String,
    /// Conversation of the spawning run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub session_key: Option<String>,
    /// How deep this run is below one that nobody spawned; from 1 to 32.
    #[schemars(range(min = 1, max = 32))]
    pub spawn_depth: u32,
}

/// Model of a run. Everything may be left out and then comes from the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelSpec {
    /// Provider, such as `openai`, `anthropic`, `azure-openai` or `ollama`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub provider: Option<String>,
    /// Model in the provider's own terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub model: Option<String>,
    /// Address of the provider. A run may name only its instance's, or the one that its Secret is for.
    #[serde(default, rename = "baseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub base_url: Option<String>,
    /// Secret with the provider's key. A run may name only Secrets of its instance's `authRefs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub auth_secret_ref: Option<String>,
    /// How much the model thinks before it answers. Default: the instance's, else `off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingEffort>,
}

/// Tools of a run. It narrows what policies allow and can't widen it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolPolicySpec {
    /// If not empty, only these tools; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub allow: Vec<String>,
    /// None of these tools; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub deny: Vec<String>,
}

/// An agent image that is not the built-in runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentSpec {
    /// Image of the agent.
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
    /// Command of the agent. Required, because it is started by a helper that hands it its key.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Arguments of the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 4096)))]
    pub args: Vec<String>,
}

/// State of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentRunStatus {
    /// Where the run stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<RunPhase>,
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Place in the queue of its instance, from 1; only while queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<u32>,
    /// Name of the run's pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// UID of the run's pod: the only pod whose tokens speak for this run.
    #[serde(default, rename = "podUID", skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// Name of the run's Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// When the agent started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Answer of the agent, cut at 32 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub result: Option<String>,
    /// Whether `result` is cut; the whole answer is in the session store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result_truncated: bool,
    /// Why the run did not succeed, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Exit code of the agent: 0 success, 1 agent error, 2 bad input, 3 refused, 4 deadline, 130 cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Tokens and time that the run used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_usage: Option<TokenUsage>,
    /// What the gateway metered, with cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<RunUsage>,
    /// Rights at the API server that the run's skills have, while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<SkillGrant>,
    /// Conditions: `Admitted`, `PodReady`, `Complete` (true in every terminal phase; its reason is the phase).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Tokens and time that a run used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsage {
    /// Tokens that were sent.
    pub input_tokens: i64,
    /// Tokens that were answered.
    pub output_tokens: i64,
    /// The sum of both.
    pub total_tokens: i64,
    /// Tool calls that were made.
    pub tool_calls: i64,
    /// Time from the agent's start to its end, in milliseconds.
    pub duration_ms: i64,
}

/// What the gateway metered for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunUsage {
    /// Model calls that were answered.
    pub model_calls: i64,
    /// Tokens that were sent, those read from and written to the provider's cache included.
    pub input_tokens: i64,
    /// Tokens that were answered, those of thinking included.
    pub output_tokens: i64,
    /// Tokens that the provider read from its cache.
    #[serde(default)]
    pub cache_read_tokens: i64,
    /// Tokens that the provider wrote to its cache.
    #[serde(default)]
    pub cache_write_tokens: i64,
    /// Cost in millionths of a US dollar; absent when a model's price is not known.
    #[serde(default, rename = "costMicroUSD", skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<i64>,
}

/// Effective rights of one skill pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkillGrant {
    /// SkillPack that asked for them.
    pub skill: String,
    /// Namespace where they hold; absent = in the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The rules.
    pub rules: Vec<RbacRuleSpec>,
}
