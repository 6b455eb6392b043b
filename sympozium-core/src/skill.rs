//! The seam to skills: [`SkillSource`], and what a skill pack brings to a run.

use crate::error::{BoxError, Classify, Retry};
use crate::ids::{PackName, ToolName};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A reference to a pack: `k8s-ops` (the built-in of that name if there is one, else an own one) or `system/k8s-ops`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SkillRef {
    /// True for `system/<name>`.
    pub builtin: bool,
    /// The pack.
    pub name: PackName,
}

/// A resolved skill pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skill {
    /// The pack.
    pub pack: PackName,
    /// True when it is a built-in pack (`system/<name>`).
    pub builtin: bool,
    /// What kind of pack it is; the packs of category `browser` are those that the feature `browser-automation` covers.
    #[serde(default)]
    pub category: Option<String>,
    /// What the model reads, one document per skill, in the pack's order.
    pub documents: Vec<SkillDocument>,
    /// Where its commands run; `None` for packs that only instruct.
    pub sidecar: Option<Sidecar>,
}

/// One skill's instructions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillDocument {
    /// Its name; the file is `<name>.md`.
    pub name: String,
    /// One line on what it is for.
    pub description: Option<String>,
    /// Markdown.
    pub content: String,
    /// Programs that must be there.
    pub requires_bins: Vec<String>,
    /// Tools that must be allowed.
    pub requires_tools: Vec<String>,
}

/// The container (locally: the process) in which a pack's commands run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Its image. Not used locally.
    pub image: String,
    /// The image's command, when the pack sets one. Not used locally.
    pub command: Vec<String>,
    /// Literal environment.
    pub env: BTreeMap<String, String>,
    /// Whether it sees `/workspace`.
    pub mount_workspace: bool,
    /// CPU and memory, as Kubernetes quantities; request equals limit.
    pub resources: BTreeMap<String, String>,
    /// Typed tools: a schema and an argument template each, no shell.
    pub tools: Vec<TypedTool>,
    /// `host:port` targets that it may reach through the gateway.
    pub egress: Vec<HostPort>,
    /// Rules in the target namespaces.
    pub rbac: Vec<RbacRule>,
    /// Rules in the whole cluster.
    pub cluster_rbac: Vec<RbacRule>,
}

impl Sidecar {
    /// True when the pack asks for rights at the API server.
    pub fn wants_rbac(&self) -> bool {
        !self.rbac.is_empty() || !self.cluster_rbac.is_empty()
    }
}

/// A tool that a pack declares: its command line is made from a template, one argument per element, without a shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypedTool {
    /// The name for the model.
    pub name: ToolName,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema (an object schema) of its arguments.
    pub parameters: Value,
    /// The command line; `{{argument}}` stands for an argument's value.
    pub argv: Vec<String>,
    /// Seconds until it is killed.
    pub timeout_seconds: u32,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// Host name (lower case) or address. `*.example.org` matches one or more labels in front.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl HostPort {
    /// Whether every target that `inner` stands for is one that this stands for.
    ///
    /// ```
    /// # use sympozium_core::skill::HostPort;
    /// let target = |host: &str, port| HostPort { host: host.to_owned(), port };
    /// assert!(target("*.example.org", 443).covers(&target("a.example.org", 443)));
    /// assert!(!target("*.example.org", 443).covers(&target("example.org", 443)));
    /// ```
    pub fn covers(&self, inner: &Self) -> bool {
        self.port == inner.port
            && (self.host == inner.host
                || self.host.strip_prefix('*').is_some_and(|tail| {
                    tail.starts_with('.')
                        && inner
                            .host
                            .strip_prefix('*')
                            .unwrap_or(&inner.host)
                            .ends_with(tail)
                }))
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One RBAC rule, as in a Role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RbacRule {
    /// API groups; `""` is the core group.
    pub api_groups: Vec<String>,
    /// Resources.
    pub resources: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

/// Finds skill packs.
#[async_trait]
pub trait SkillSource: Send + Sync {
    /// Resolves references, in their order. Fails for the first that can't be resolved.
    async fn resolve(&self, refs: &[SkillRef]) -> Result<Vec<Skill>, SkillError>;
}

/// Why a pack could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SkillError {
    /// No such pack.
    #[error("there is no skill pack {0}")]
    NotFound(PackName),
    /// It is there, but wrong.
    #[error("skill pack {pack} is not usable: {detail}")]
    Invalid {
        /// The pack.
        pack: PackName,
        /// What is wrong.
        detail: String,
    },
    /// The source did not answer.
    #[error("read skill pack {pack}")]
    Unavailable {
        /// The pack.
        pack: PackName,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl Classify for SkillError {
    fn retry(&self) -> Retry {
        match self {
            Self::NotFound(_) | Self::Invalid { .. } => Retry::Never,
            Self::Unavailable { .. } => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not-found",
            Self::Invalid { .. } => "invalid",
            Self::Unavailable { .. } => "unavailable",
        }
    }
}
