//! `SkillPack`: instructions for a model, and the container in which their commands run.

use super::{env::EnvVar, quantity::Quantity, references::HostPortSpec, references::RbacRuleSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Instructions for a model, and the container in which their commands run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.skills.map(s, s.content.size()).sum() <= 524288",
    "message": "the contents of all skills of a pack together are at most 524288 characters (512 KiB)",
}]))]
#[kube(
    group = "sympozium.ai",
    version = "v1alpha1",
    kind = "SkillPack",
    plural = "skillpacks",
    singular = "skillpack",
    namespaced,
    status = "SkillPackStatus",
    derive = "PartialEq",
    shortname = "skill",
    category = "sympozium",
    doc = "Instructions for a model, and the container in which their commands run.",
    printcolumn = r#"{"name":"Skills","type":"integer","jsonPath":".status.skillCount"}"#,
    printcolumn = r#"{"name":"ConfigMap","type":"string","jsonPath":".status.configMapName"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Category","type":"string","jsonPath":".spec.category","priority":1}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version","priority":1}"#,
    printcolumn = r#"{"name":"Sidecar","type":"string","jsonPath":".spec.sidecar.image","priority":1}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason","priority":1}"#
)]
pub struct SkillPackSpec {
    /// Skills of the pack. Their contents together are at most 512 KiB.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub skills: Vec<PackSkill>,
    /// Category, for lists. The packs of category `browser` belong to the feature gate `browser-automation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub category: Option<String>,
    /// Where the pack comes from, for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub source: Option<String>,
    /// Version of the pack, for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub version: Option<String>,
    /// What a pack without sidecar needs of the run's sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_requirements: Option<RuntimeRequirements>,
    /// Container in which the pack's commands run. Absent = the pack only instructs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<SidecarSpec>,
}

/// One skill: a Markdown document for the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackSkill {
    /// Name; the file is `<name>.md`.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[a-z0-9]([-a-z0-9_.]*[a-z0-9])?$")
    )]
    pub name: String,
    /// One line on what it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Markdown.
    #[schemars(length(min = 1, max = 524_288))]
    pub content: String,
    /// What must be there for the skill to make sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<RequiresSpec>,
}

/// What must be there for a skill to make sense.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequiresSpec {
    /// Programs that must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 128)))]
    pub bins: Vec<String>,
    /// Tools that the run must be allowed to use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub tools: Vec<String>,
}

/// What a pack needs of the run's sandbox, and the least that its own container gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuntimeRequirements {
    /// Image of the sandbox, when the run names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Whether the run must have a sandbox: it then gets one, unless it says `enabled: false`, which is refused.
    #[serde(default)]
    pub sandbox: bool,
    /// Memory of the pack's container or the sandbox, when neither pack nor run says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_memory: Option<Quantity>,
    /// CPU of the pack's container or the sandbox, when neither pack nor run says.
    #[serde(default, rename = "minCPU", skip_serializing_if = "Option::is_none")]
    pub min_cpu: Option<Quantity>,
}

const fn mount_workspace() -> bool {
    true
}

/// Container in which a pack's commands run. The program that takes the commands is copied into it, so any image works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarSpec {
    /// Image. Not used by local runs, where the host's programs serve.
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
    /// Command, for images that bring their own way to take commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Literal environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,
    /// Whether the container sees `/workspace`.
    #[serde(default = "mount_workspace")]
    pub mount_workspace: bool,
    /// CPU and memory; what is set aside is also the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<SidecarResources>,
    /// Rules at the API server in the instance's `targetNamespaces`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rbac: Vec<RbacRuleSpec>,
    /// Rules at the API server in the whole cluster.
    #[serde(default, rename = "clusterRBAC", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub cluster_rbac: Vec<RbacRuleSpec>,
    /// Typed tools: each has a schema of arguments and a command line, and no shell in between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tools: Vec<TypedToolSpec>,
    /// Network targets that the container may reach, through the gateway. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub egress: Vec<HostPortSpec>,
}

/// CPU and memory of a sidecar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarResources {
    /// CPU, such as `100m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory, such as `128Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

const fn tool_timeout() -> u32 {
    30
}

/// A tool that a pack declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypedToolSpec {
    /// Name for the model: letters, digits, `_` and `-`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z0-9_-]+$"))]
    pub name: String,
    /// What it does, for the model.
    #[schemars(length(min = 1, max = 4096))]
    pub description: String,
    /// JSON Schema of the arguments; an object schema.
    #[serde(default)]
    #[schemars(schema_with = "parameters_schema")]
    pub parameters: Map<String, Value>,
    /// Command line, one argument each; `{{name}}` stands for the argument of that name.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 4096)))]
    pub argv: Vec<String>,
    /// Seconds until it is killed: from 1 to 3600.
    #[serde(default = "tool_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: u32,
}

/// A JSON Schema can hold any keys, so this is the one field whose content the API server does not know.
fn parameters_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// State of a pack.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkillPackStatus {
    /// Where the pack stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<SkillPackPhase>,
    /// ConfigMap that holds the skills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_name: Option<String>,
    /// Number of skills.
    #[serde(default)]
    pub skill_count: i64,
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where a pack stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SkillPackPhase {
    /// Runs can use it.
    Ready,
    /// They can't; the condition `Ready` says why.
    Error,
}
