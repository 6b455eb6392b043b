//! `SympoziumPolicy`: what runs may do.

use super::{quantity::Quantity, references::HostPortSpec, usd::Usd};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use sympozium_core::policy::ToolAction;

/// What runs may do. Several policies may hold for a run; it may do what all of them allow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "sympozium.ai",
    version = "v1alpha1",
    kind = "SympoziumPolicy",
    plural = "sympoziumpolicies",
    singular = "sympoziumpolicy",
    namespaced,
    status = "SympoziumPolicyStatus",
    derive = "PartialEq",
    shortname = "spol",
    category = "sympozium",
    doc = "What runs may do. Several policies may hold for a run; it may do what all of them allow.",
    printcolumn = r#"{"name":"Bound","type":"integer","jsonPath":".status.boundInstances"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Tools","type":"string","jsonPath":".spec.toolGating.defaultAction","priority":1}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#
)]
pub struct SympoziumPolicySpec {
    /// Rules about sandboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_policy: Option<SandboxPolicySpec>,
    /// Rules about runs that spawn runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent_policy: Option<SubagentPolicySpec>,
    /// Rules about tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_gating: Option<ToolGatingSpec>,
    /// Switches: `code-execution`, `file-access`, `browser-automation`, `sub-agents`, `memory`, `schedules`, `channels`. Absent = allowed. An unknown one is reported in the condition `Ready`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub feature_gates: BTreeMap<String, bool>,
    /// Rules about the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicySpec>,
    /// Rules about models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<ModelsSpec>,
    /// Rules about images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImagesSpec>,
    /// What `fetch_url` may fetch. Absent = any public host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<EgressSpec>,
    /// What runs may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetSpec>,
    /// Rules about skills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<SkillsSpec>,
}

/// Rules about sandboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxPolicySpec {
    /// Whether runs must have a sandbox.
    #[serde(default)]
    pub required: bool,
    /// Image of sandboxes that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub default_image: Option<String>,
    /// Most CPU of a sandbox, such as `2` or `500m`.
    #[serde(default, rename = "maxCPU", skip_serializing_if = "Option::is_none")]
    pub max_cpu: Option<Quantity>,
    /// Most memory of a sandbox, such as `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<Quantity>,
    /// Kept for compatibility: host mounts are never possible. `true` changes nothing and is reported in the condition `Ready`.
    #[serde(default)]
    pub allow_host_mounts: bool,
}

const fn max_depth() -> u32 {
    3
}

const fn max_concurrent() -> u32 {
    5
}

/// Rules about runs that spawn runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubagentPolicySpec {
    /// How deep runs may spawn runs; 0 = not at all.
    #[serde(default = "max_depth")]
    #[schemars(range(min = 0, max = 32))]
    pub max_depth: u32,
    /// How many runs of an instance may be under way at once.
    #[serde(default = "max_concurrent")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent: u32,
    /// How many runs one run may spawn. Absent = no limit by this policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_children_per_agent: Option<u32>,
}

const fn allow() -> ToolAction {
    ToolAction::Allow
}

/// Rules about tools. An exact name beats one with stars, then deny beats ask beats allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolGatingSpec {
    /// What of tools that no rule names.
    #[serde(default = "allow")]
    pub default_action: ToolAction,
    /// Rules; their order does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub rules: Vec<ToolRuleSpec>,
}

/// A rule about a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolRuleSpec {
    /// Name of the tool; `*` stands for any characters.
    #[schemars(length(min = 1, max = 128))]
    pub tool: String,
    /// Whether it may be called; `ask` = after a person agreed.
    pub action: ToolAction,
}

/// Rules about the network. Pods of runs reach the gateway and the event bus and nothing else, whatever is said here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkPolicySpec {
    /// Kept for compatibility: everything is always denied. `false` changes nothing and is reported in the condition `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_all: Option<bool>,
    /// Kept for compatibility: pods of runs have no DNS. `true` changes nothing and is reported in the condition `Ready`.
    #[serde(default, rename = "allowDNS", skip_serializing_if = "Option::is_none")]
    pub allow_dns: Option<bool>,
    /// Kept for compatibility: the event bus is always reached. `false` changes nothing and is reported in the condition `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_event_bus: Option<bool>,
    /// The most that skills may ask for in `sidecar.egress`. Absent = no ceiling by this policy; an empty list = nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub allowed_egress: Option<Vec<HostPortSpec>>,
    /// Whether runs are refused where NetworkPolicies are not known to be enforced.
    #[serde(default)]
    pub require_enforced: bool,
}

/// Rules about models, by `model` or `provider/model`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelsSpec {
    /// If not empty, only these; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 256)))]
    pub allow: Vec<String>,
    /// None of these; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 256)))]
    pub deny: Vec<String>,
}

/// Rules about images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagesSpec {
    /// Only these images, of agents, sandboxes and sidecars; `*` stands for any characters. An empty list = none.
    #[schemars(length(max = 128), inner(length(min = 1, max = 256)))]
    pub allow: Vec<String>,
}

/// What `fetch_url` may fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressSpec {
    /// Only these hosts. An empty list = none.
    #[schemars(length(max = 128))]
    pub hosts: Vec<EgressHostSpec>,
}

/// What may be asked of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressHostSpec {
    /// Host name, or `*.example.org` for every name below `example.org`.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// HTTP methods. Empty = GET alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 16), regex(pattern = "^[A-Z]+$")))]
    pub methods: Vec<String>,
    /// Path prefixes, or patterns with `*`. Empty = all paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub paths: Vec<String>,
    /// Whether the host may have a private address. Only an install-wide policy may say so.
    #[serde(default)]
    pub private: bool,
}

/// What runs may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BudgetSpec {
    /// Of one run and what it spawns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_run: Option<CapSpec>,
    /// Of one day (UTC), over all runs for which this policy was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<CapSpec>,
    /// Of one month (UTC), over all runs for which this policy was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_month: Option<CapSpec>,
}

/// The most that may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapSpec {
    /// Tokens, sent and answered together. Absent = no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_000_u64))]
    pub tokens: Option<i64>,
    /// US dollars, to the millionth. Absent = no limit. Models without a known price are then refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
}

const fn shared_identity() -> bool {
    true
}

/// Rules about skills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkillsSpec {
    /// ClusterRole whose rules are the most that packs may bring. Setting it needs the verb `bind` on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ceiling_ref: Option<String>,
    /// Whether several packs with rules may serve one run, and then share one identity.
    #[serde(default = "shared_identity")]
    pub shared_identity: bool,
}

/// State of a policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SympoziumPolicyStatus {
    /// Instances of its namespace that name it.
    #[serde(default)]
    pub bound_instances: i64,
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: `Ready` (reason `PartlyHonoured` names fields that change nothing).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
