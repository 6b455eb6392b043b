//! The sandbox: a container without skill, token or rights, in which a run may execute commands.

use super::pod_template::ResourceAmounts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The sandbox of an instance's runs that say nothing about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxSpec {
    /// Whether runs get a sandbox, in which `execute_command` works without a skill.
    pub enabled: bool,
    /// Image of the sandbox. Default: the policy's `sandboxPolicy.defaultImage`, else the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// CPU and memory of the sandbox. A policy's `maxCPU` and `maxMemory` bound the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceAmounts>,
}

/// The sandbox of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunSandboxSpec {
    /// Whether the run gets a sandbox, in which `execute_command` works without a skill.
    pub enabled: bool,
    /// Image of the sandbox. Default: the instance's, then the policy's, then the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Tightens the sandbox's security context, which is already that of Pod Security `restricted`. It can't loosen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContextSpec>,
    /// CPU and memory of the sandbox. A policy's `maxCPU` and `maxMemory` bound the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceAmounts>,
}

/// The part of a security context that a run may tighten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityContextSpec {
    /// Mounts the root file system read-only. Only `true` is accepted: the default is `true` already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{ "rule": "self", "message": "can't be false: the root file system is always read-only" }]))]
    pub read_only_root_filesystem: Option<bool>,
    /// Refuses to run as root. Only `true` is accepted: the default is `true` already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{ "rule": "self", "message": "can't be false: no container of a run runs as root" }]))]
    pub run_as_non_root: Option<bool>,
    /// Linux capabilities to drop. All are dropped already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<CapabilitiesSpec>,
    /// Seccomp profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp_profile: Option<SeccompProfileSpec>,
}

/// Linux capabilities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilitiesSpec {
    /// Capabilities to drop, such as `ALL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub drop: Vec<String>,
}

/// A seccomp profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeccompProfileSpec {
    /// Kind of profile.
    #[serde(rename = "type")]
    pub kind: SeccompType,
}

/// Kinds of seccomp profiles that a run may ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SeccompType {
    /// The profile of the container runtime; what every container of a run has anyway.
    #[default]
    RuntimeDefault,
}
