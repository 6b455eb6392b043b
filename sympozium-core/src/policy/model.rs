//! A policy as data, checked: every string that means something is parsed already.

use super::{Outcome, Pattern};
use crate::ids::ToolName;
use crate::skill::HostPort;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a policy is called in verdicts: `sympozium-system/default`, `local-default`, or `name (file.yaml)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyName(pub String);

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a policy came to hold for a run. Decides over what its daily and monthly budgets are metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyOrigin {
    /// The installation's own (`sympozium-system/default`), or given on the command line of a local run.
    InstallWide,
    /// Named by the namespace's label.
    Namespace,
    /// Named by the instance's `policyRef`.
    Instance,
}

/// Whether a tool may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolAction {
    /// Yes.
    Allow,
    /// Only after a person agreed.
    Ask,
    /// No.
    Deny,
}

impl From<ToolAction> for Outcome {
    fn from(action: ToolAction) -> Self {
        match action {
            ToolAction::Allow => Self::Allow,
            ToolAction::Ask => Self::Ask,
            ToolAction::Deny => Self::Deny,
        }
    }
}

/// A rule about tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRule {
    /// Which tools.
    pub tool: Pattern,
    /// What of them.
    pub action: ToolAction,
}

/// `toolGating`: an exact name beats a glob, then deny beats ask beats allow, then `default_action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolGating {
    /// For tools that no rule names. Default: allow.
    pub default_action: ToolAction,
    /// The rules; their order does not matter.
    pub rules: Vec<ToolRule>,
}

impl Default for ToolGating {
    fn default() -> Self {
        Self {
            default_action: ToolAction::Allow,
            rules: Vec::new(),
        }
    }
}

/// `sandboxPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPolicy {
    /// A run must have a sandbox.
    pub required: bool,
    /// The sandbox image of runs that name none.
    pub default_image: Option<String>,
    /// The most CPU of a sandbox, in thousandths of a core.
    pub max_cpu_millis: Option<u64>,
    /// The most memory of a sandbox, in bytes.
    pub max_memory_bytes: Option<u64>,
}

/// `subagentPolicy`. `None` = no limit by this policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubagentPolicy {
    /// How deep runs may spawn runs; a run that nobody spawned has depth 0.
    pub max_depth: Option<u32>,
    /// How many runs of an instance may be under way at once.
    pub max_concurrent: Option<u32>,
    /// How many runs one run may spawn.
    pub max_children: Option<u32>,
}

/// The switches of `featureGates`. Absent = allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// `execute_command`, typed tools of packs, the sandbox.
    CodeExecution,
    /// `read_file`, `write_file`, `list_directory`.
    FileAccess,
    /// `fetch_url` and browser packs.
    BrowserAutomation,
    /// `spawn_agent`, and runs with a parent.
    SubAgents,
    /// Long-term memory.
    Memory,
    /// `schedule_task`.
    Schedules,
    /// `send_channel_message`.
    Channels,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CodeExecution,
        Self::FileAccess,
        Self::BrowserAutomation,
        Self::SubAgents,
        Self::Memory,
        Self::Schedules,
        Self::Channels,
    ];

    /// The name in `featureGates`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CodeExecution => "code-execution",
            Self::FileAccess => "file-access",
            Self::BrowserAutomation => "browser-automation",
            Self::SubAgents => "sub-agents",
            Self::Memory => "memory",
            Self::Schedules => "schedules",
            Self::Channels => "channels",
        }
    }
}

/// `models` (by model name, or `provider/model`) and `images.allow`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRules {
    /// If not empty, one of these must match.
    pub allow: Vec<Pattern>,
    /// None of these may match.
    pub deny: Vec<Pattern>,
}

/// `networkPolicy`, as far as it decides something here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPolicy {
    /// The ceiling of `sidecar.egress`; `None` = no ceiling by this policy.
    pub allowed_egress: Option<Vec<HostPort>>,
    /// Refuse runs where NetworkPolicies are not known to be enforced.
    pub require_enforced: bool,
}

/// `egress.hosts[]`: what `fetch_url` may ask of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressHost {
    /// Host name (lower case), or `*.example.org` for every name below it.
    pub host: Pattern,
    /// HTTP methods in capitals; empty = GET alone.
    pub methods: Vec<String>,
    /// Path prefixes or patterns; empty = all.
    pub paths: Vec<Pattern>,
    /// The host may have a private address. Only an install-wide policy may say so.
    pub private: bool,
}

/// `egress`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressPolicy {
    /// The hosts that may be asked.
    pub hosts: Vec<EgressHost>,
}

/// The most that may be used. `None` = no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Tokens.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub micro_usd: Option<u64>,
}

impl Cap {
    /// True when it limits nothing.
    pub const fn is_open(&self) -> bool {
        self.tokens.is_none() && self.micro_usd.is_none()
    }
}

/// `budget`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Of one run and what it spawns.
    pub per_run: Cap,
    /// Of a day (UTC), over what the policy was chosen by.
    pub per_day: Cap,
    /// Of a month (UTC), over what the policy was chosen by.
    pub per_month: Cap,
}

/// `skills`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillPolicy {
    /// The ClusterRole whose rules are the most that packs may bring.
    pub ceiling_ref: Option<String>,
    /// Several packs with RBAC may share one identity. Default: true.
    pub shared_identity: bool,
}

impl Default for SkillPolicy {
    fn default() -> Self {
        Self {
            ceiling_ref: None,
            shared_identity: true,
        }
    }
}

/// A policy. [`Policy::open`] allows everything; every field narrows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What it is called.
    pub name: PolicyName,
    /// How it came to hold.
    pub origin: PolicyOrigin,
    /// `sandboxPolicy`.
    pub sandbox: SandboxPolicy,
    /// `subagentPolicy`.
    pub subagents: SubagentPolicy,
    /// `toolGating`.
    pub tools: ToolGating,
    /// `featureGates`.
    pub features: BTreeMap<Feature, bool>,
    /// `networkPolicy`.
    pub network: NetworkPolicy,
    /// `models`.
    pub models: ModelRules,
    /// `images.allow`; `None` = any.
    pub images: Option<Vec<Pattern>>,
    /// `egress`; `None` = any public host.
    pub egress: Option<EgressPolicy>,
    /// `budget`.
    pub budget: Budget,
    /// `skills`.
    pub skills: SkillPolicy,
}

impl Policy {
    /// The policy of that name that allows everything.
    pub fn open(name: PolicyName, origin: PolicyOrigin) -> Self {
        Self {
            name,
            origin,
            sandbox: SandboxPolicy::default(),
            subagents: SubagentPolicy::default(),
            tools: ToolGating::default(),
            features: BTreeMap::new(),
            network: NetworkPolicy::default(),
            models: ModelRules::default(),
            images: None,
            egress: None,
            budget: Budget::default(),
            skills: SkillPolicy::default(),
        }
    }

    /// The built-in policy of local runs for which nobody gave one.
    pub fn local_default() -> Self {
        Self::open(PolicyName("local-default".to_owned()), PolicyOrigin::InstallWide)
    }

    /// What a runner or executor needs of it to decide about tools.
    pub fn gate_layer(&self) -> GateLayer {
        GateLayer {
            policy: self.name.clone(),
            tools: self.tools.clone(),
            features: self.features.clone(),
        }
    }
}

/// The run's own `toolPolicy`: it can only narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunToolPolicy {
    /// If not empty, one of these must match.
    pub allow: Vec<Pattern>,
    /// None of these may match.
    pub deny: Vec<Pattern>,
}

/// The part of a policy that gates tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateLayer {
    /// The policy.
    pub policy: PolicyName,
    /// Its `toolGating`.
    pub tools: ToolGating,
    /// Its `featureGates`.
    pub features: BTreeMap<Feature, bool>,
}

/// All that gates the tools of one run; travels to the runner and into the executors' arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolGate {
    /// One layer per policy. Empty refuses every tool.
    pub layers: Vec<GateLayer>,
    /// The run's own policy.
    pub run: RunToolPolicy,
    /// Names of the packs' typed tools, which count as code execution.
    pub typed_tools: Vec<ToolName>,
}
