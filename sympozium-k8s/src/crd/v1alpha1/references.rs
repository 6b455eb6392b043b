//! Small values that name something: Secrets, skill packs, network targets, API rules.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names a Secret of the same namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Provider or platform that the Secret is for, such as `telegram`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub provider: Option<String>,
    /// Name of the Secret. May be empty for WhatsApp, which pairs by a QR code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub secret: String,
}

/// Names the skills that a run gets: a SkillPack, or a ConfigMap with Markdown documents. Exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.skillPackRef) != has(self.configMapRef)",
    "message": "give either skillPackRef or configMapRef",
}]))]
pub struct SkillRefSpec {
    /// Name of a SkillPack: `system/<name>` is a built-in one, a bare name the built-in one of that name if there is
    /// one, else one of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 47),
        regex(pattern = "^(system/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub skill_pack_ref: Option<String>,
    /// Name of a ConfigMap of the same namespace; each key that ends in `.md` is one skill. It brings no sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub config_map_ref: Option<String>,
}

/// A network target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPortSpec {
    /// Host name, or `*.example.org` for every name below `example.org`.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// Port, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// One rule of a Role or ClusterRole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RbacRuleSpec {
    /// API groups; `""` is the core group.
    #[schemars(length(max = 32), inner(length(max = 253)))]
    pub api_groups: Vec<String>,
    /// Resources, such as `pods` or `pods/log`.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub resources: Vec<String>,
    /// Verbs, such as `get`, `list`, `watch`.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 64)))]
    pub verbs: Vec<String>,
}
