//! A validated run: what executors build and runners carry out. Nothing in it needs to be looked up or checked again.

use crate::channel::ChannelKind;
use crate::chat::ThinkingEffort;
use crate::ids::{InstanceRef, ModelName, Namespace, ProviderName, RunName, RunUid, SessionKey, ToolName};
use crate::policy::{Policy, RunToolPolicy, ToolGate};
use crate::skill::Skill;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use url::Url;

/// Which run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunRef {
    /// Its namespace; local runs use `local`.
    pub namespace: Namespace,
    /// Its name.
    pub name: RunName,
    /// Its identity.
    pub uid: RunUid,
}

/// Which model, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPlan {
    /// The provider.
    pub provider: ProviderName,
    /// The model.
    pub model: ModelName,
    /// Where the provider is; `None` = its public default.
    pub base_url: Option<Url>,
    /// How much to think.
    pub thinking: ThinkingEffort,
    /// The Secret that holds the key; `None` for providers that need none.
    pub secret: Option<String>,
}

/// Bounds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long it may take, from the agent's start. Default 10 minutes.
    pub timeout: Duration,
    /// How many model turns it may take. Default 50.
    pub max_turns: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(10),
            max_turns: 50,
        }
    }
}

/// The sidecar without a skill, for `execute_command`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPlan {
    /// Its image; `None` = the policy's or installation's default. Not used locally.
    pub image: Option<String>,
    /// Resource requests, as Kubernetes quantities.
    pub requests: BTreeMap<String, String>,
    /// Resource limits, as Kubernetes quantities.
    pub limits: BTreeMap<String, String>,
}

/// Limits on what the run may spawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubagentLimits {
    /// Depth. Default 2.
    pub max_depth: u32,
    /// At once, per instance. Default 5.
    pub max_concurrent: u32,
    /// Per run. Default 3.
    pub max_children: u32,
}

impl Default for SubagentLimits {
    fn default() -> Self {
        Self {
            max_depth: 2,
            max_concurrent: 5,
            max_children: 3,
        }
    }
}

/// The run that spawned this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its name, in the same namespace.
    pub run: RunName,
    /// Its session.
    pub session: Option<SessionKey>,
    /// This run's depth, from 1.
    pub depth: u32,
}

/// An agent image that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignAgent {
    /// The image.
    pub image: String,
    /// Its command.
    pub command: Vec<String>,
    /// Arguments to it.
    pub args: Vec<String>,
}

/// Long-term memory of the run's instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPlan {
    /// The cap in bytes.
    pub max_bytes: u32,
}

/// Where the run's answer goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// The platform.
    pub channel: ChannelKind,
    /// The chat.
    pub chat_id: String,
}

/// What happens to the Job after the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cleanup {
    /// It is deleted 300 s after the end.
    #[default]
    Delete,
    /// It stays until the run is deleted.
    Keep,
}

/// A validated run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunPlan {
    /// Which run.
    pub run: RunRef,
    /// Whose.
    pub instance: InstanceRef,
    /// The `agentId` that its author gave; only carried along.
    pub agent_id: Option<String>,
    /// The conversation that it continues; `None` = one of its own.
    pub session: Option<SessionKey>,
    /// What to do.
    pub task: String,
    /// Instructions above the task; `None` = the built-in ones.
    pub system_prompt: Option<String>,
    /// Which model.
    pub model: ModelPlan,
    /// Its skills, resolved, in order.
    pub skills: Vec<Skill>,
    /// Its sandbox.
    pub sandbox: Option<SandboxPlan>,
    /// Its own narrowing of tools.
    pub tool_policy: RunToolPolicy,
    /// Its bounds.
    pub limits: Limits,
    /// What it may spawn.
    pub subagents: SubagentLimits,
    /// Who spawned it.
    pub parent: Option<Parent>,
    /// Its instance's memory, if on.
    pub memory: Option<MemoryPlan>,
    /// The policies that hold, install-wide first. Never empty in a plan that runs.
    pub policies: Vec<Policy>,
    /// A foreign agent image.
    pub agent: Option<ForeignAgent>,
    /// Literal environment of the agent.
    pub env: BTreeMap<String, String>,
    /// Where the answer goes.
    pub reply_to: Option<ReplyTo>,
    /// What happens to the Job.
    pub cleanup: Cleanup,
}

impl RunPlan {
    /// All that gates this run's tools.
    pub fn tool_gate(&self) -> ToolGate {
        ToolGate {
            layers: self.policies.iter().map(Policy::gate_layer).collect(),
            run: self.tool_policy.clone(),
            typed_tools: self.typed_tool_names().cloned().collect(),
        }
    }

    /// The typed tools of its packs.
    pub fn typed_tool_names(&self) -> impl Iterator<Item = &ToolName> {
        self.skills
            .iter()
            .filter_map(|s| s.sidecar.as_ref())
            .flat_map(|s| &s.tools)
            .map(|t| &t.name)
    }
}
