//! What an instance may say about its pods: a closed set, because a pod template that says anything is a way out of
//! every isolation.

use super::quantity::Quantity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings of the pods of an instance's runs. Security settings, volumes and networks can't be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodTemplate {
    /// Secrets with registry credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<ImagePullSecret>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "label_values")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// RuntimeClass of the pods, such as one of gVisor or Kata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// CPU and memory of the agent container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceAmounts>,
    /// Additional labels of the pods. Keys of `kubernetes.io`, `k8s.io` and `sympozium.ai`, and of known injectors, are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "label_values", extend("x-kubernetes-validations" = [{
            "rule": "self.all(k, !k.matches('(^|[.])(kubernetes[.]io|k8s[.]io|sympozium[.]ai|istio[.]io|linkerd[.]io|hashicorp[.]com|dapr[.]io)/') && !(k in ['app', 'pod-template-hash', 'job-name', 'controller-uid']))",
            "message": "keys of kubernetes.io, k8s.io, sympozium.ai and of sidecar injectors are reserved, as are app, job-name, controller-uid and pod-template-hash",
        }]))]
    pub labels: BTreeMap<String, String>,
    /// Additional annotations of the pods. Keys of `kubernetes.io`, `k8s.io` and `sympozium.ai`, and of known injectors, are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotation_values", extend("x-kubernetes-validations" = [{
            "rule": "self.all(k, !k.matches('(^|[.])(kubernetes[.]io|k8s[.]io|sympozium[.]ai|istio[.]io|linkerd[.]io|hashicorp[.]com|dapr[.]io)/'))",
            "message": "keys of kubernetes.io, k8s.io, sympozium.ai and of sidecar injectors are reserved",
        }]))]
    pub annotations: BTreeMap<String, String>,
}

/// At most 32 values as labels have them.
fn label_values(_: &mut SchemaGenerator) -> Schema {
    texts(63)
}

/// At most 32 texts of at most 4096 characters.
fn annotation_values(_: &mut SchemaGenerator) -> Schema {
    texts(4096)
}

fn texts(max_length: u32) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": max_length },
    })
}

/// Names a Secret with registry credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePullSecret {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A taint that the pods tolerate, as in a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// Key of the taint; absent = every key (then the operator must be `Exists`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 316))]
    pub key: Option<String>,
    /// How the value is compared. Default: Equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// Value of the taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// Effect of the taint; absent = every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TolerationEffect>,
    /// How long a `NoExecute` taint is tolerated, in seconds; absent = for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub toleration_seconds: Option<i64>,
}

/// How a toleration compares its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// The taint is there, with whatever value.
    Exists,
    /// The taint has this value.
    Equal,
}

/// Effect of a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationEffect {
    /// No new pods.
    NoSchedule,
    /// Preferably no new pods.
    PreferNoSchedule,
    /// No new pods, and the present ones leave.
    NoExecute,
}

/// CPU and memory, as in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceAmounts {
    /// What is set aside, by resource name (`cpu`, `memory`, `ephemeral-storage`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub requests: BTreeMap<String, Quantity>,
    /// The most that may be used, by resource name (`cpu`, `memory`, `ephemeral-storage`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub limits: BTreeMap<String, Quantity>,
}
