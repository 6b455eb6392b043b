//! `SympoziumInstance`: an agent that lives on, with its channels, skills, memory and keys.

use super::{
    pod_template::PodTemplate, references::SecretRef, references::SkillRefSpec, sandbox::SandboxSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sympozium_core::{channel::ChannelKind, chat::ThinkingEffort};

/// An agent that lives on: model, keys, skills, channels, memory and policy of its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "sympozium.ai",
    version = "v1alpha1",
    kind = "SympoziumInstance",
    plural = "sympoziuminstances",
    singular = "sympoziuminstance",
    namespaced,
    status = "SympoziumInstanceStatus",
    derive = "PartialEq",
    shortname = "inst",
    category = "sympozium",
    doc = "An agent that lives on: the model, keys, skills, channels, memory and policy that its runs have in common.",
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Active Agents","type":"integer","jsonPath":".status.activeAgentPods"}"#,
    printcolumn = r#"{"name":"Total Runs","type":"integer","jsonPath":".status.totalAgentRuns"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Model","type":"string","jsonPath":".spec.agents.default.model","priority":1}"#,
    printcolumn = r#"{"name":"Policy","type":"string","jsonPath":".spec.policyRef","priority":1}"#,
    printcolumn = r#"{"name":"Channels","type":"string","jsonPath":".spec.channels[*].type","priority":1}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason","priority":1}"#
)]
pub struct SympoziumInstanceSpec {
    /// Chat platforms through which people reach the agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub channels: Vec<ChannelSpec>,
    /// Settings of the agent.
    pub agents: Agents,
    /// Skills of runs that name none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub skills: Vec<SkillRefSpec>,
    /// SympoziumPolicy of the same namespace. It holds in addition to the installation's and the namespace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub policy_ref: Option<String>,
    /// Secrets with the keys of model providers. The first is the default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub auth_refs: Vec<AuthRef>,
    /// Long-term memory. Absent = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemorySpec>,
    /// Namespaces in which the rules of skills apply. Absent = the run's own, where rules that could undo its isolation are dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")), extend("x-kubernetes-list-type" = "set"))]
    pub target_namespaces: Vec<String>,
    /// Settings of the pods of runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

/// A chat platform of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChannelSpec {
    /// Platform.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// Secret with the platform's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_ref: Option<SecretRef>,
    /// Who may talk to the agent. Absent = nobody but the paired owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_control: Option<AccessControl>,
    /// Chat for messages that answer nobody, such as those of schedules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub default_chat: Option<String>,
    /// People who may approve tool calls from this platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["sender"]))]
    pub approvers: Vec<ApproverSpec>,
}

/// Who may talk to an agent. A denied sender is refused even when allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessControl {
    /// Platform ids of people who may. Empty = nobody but the paired owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub allowed_senders: Vec<String>,
    /// Platform ids of people who may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub denied_senders: Vec<String>,
    /// Platform ids of chats in which the agent answers. Empty = in every chat with an allowed sender.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub allowed_chats: Vec<String>,
    /// Answer to people who may not. Absent = no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub deny_message: Option<String>,
}

/// Maps a person of a chat platform to a Kubernetes user, whose rights decide what may be approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproverSpec {
    /// Platform id of the person.
    #[schemars(length(min = 1, max = 256))]
    pub sender: String,
    /// Kubernetes user name; must hold the verb `approve`.
    #[schemars(length(min = 1, max = 256))]
    pub user: String,
}

/// Agents of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agents {
    /// Settings of every run that says nothing else.
    pub default: AgentSettings,
}

/// Settings that runs inherit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentSettings {
    /// Model in the provider's own terms.
    #[schemars(length(min = 1, max = 200))]
    pub model: String,
    /// Address of the provider. Default: that of the key's Secret, else the provider's public one.
    #[serde(default, rename = "baseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub base_url: Option<String>,
    /// How much the model thinks before it answers. Default: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingEffort>,
    /// Sandbox of runs that say nothing about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxSpec>,
    /// Limits on runs that spawn runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagents: Option<SubagentsSpec>,
}

/// Limits on runs that spawn runs. Policies may be stricter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SubagentsSpec {
    /// How deep runs may spawn runs; 0 = not at all.
    #[schemars(range(min = 0, max = 32))]
    pub max_depth: u32,
    /// How many runs of the instance may be under way at once; further ones are queued.
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent: u32,
    /// How many runs one run may spawn.
    #[schemars(range(min = 0, max = 1000))]
    pub max_children_per_agent: u32,
}

impl Default for SubagentsSpec {
    fn default() -> Self {
        let core = sympozium_core::run::SubagentLimits::default();
        Self {
            max_depth: core.max_depth,
            max_concurrent: core.max_concurrent,
            max_children_per_agent: core.max_children,
        }
    }
}

/// Secret with a key of a model provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthRef {
    /// Provider, such as `openai` or `anthropic`. Absent = told from the model's name or the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub provider: Option<String>,
    /// Name of the Secret. The key is sent only to the address in its annotation `sympozium.ai/base-url`, else to the provider's public one.
    #[schemars(length(min = 1, max = 253))]
    pub secret: String,
}

const fn memory_enabled() -> bool {
    true
}

/// The default of `memory.maxSizeKB`.
const fn memory_size_kb() -> u32 {
    64
}

/// Long-term memory of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemorySpec {
    /// Whether runs read and write it.
    #[serde(default = "memory_enabled")]
    pub enabled: bool,
    /// Most that is kept, in KiB: from 1 to 256.
    #[serde(default = "memory_size_kb", rename = "maxSizeKB")]
    #[schemars(range(min = 1, max = 256))]
    pub max_size_kb: u32,
    /// System prompt of runs that give none. At most 16,384 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub system_prompt: Option<String>,
}

/// State of an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SympoziumInstanceStatus {
    /// Where the instance stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<InstancePhase>,
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// State of each channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub channels: Vec<ChannelStatus>,
    /// Runs that are under way.
    #[serde(default)]
    pub active_agent_pods: i64,
    /// Runs that there ever were.
    #[serde(default)]
    pub total_agent_runs: i64,
    /// Conditions: `Ready`, `NetworkEnforced`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstancePhase {
    /// Its parts are being made.
    Pending,
    /// It takes runs.
    Running,
    /// It can't; the condition `Ready` says why.
    Error,
}

/// State of a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatus {
    /// Platform.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// Whether it is connected.
    pub status: ChannelPhase,
    /// When its health was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_health_check: Option<Time>,
    /// What is wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Whether a channel is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChannelPhase {
    /// It is being made.
    Pending,
    /// It hears and answers.
    Connected,
    /// Its connection is down.
    Disconnected,
    /// It can't work.
    Error,
}
