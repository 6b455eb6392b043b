//! Wire types of `sympozium.ai/v1alpha1`: one file per kind, and the values that several of them share.
//!
//! Unknown fields of a `spec` are errors, in files as well as (by `kubectl`'s strict validation) in the cluster. Every
//! text, list and number is bounded, so that the API server can bound the cost of the rules.

mod agent_run;
mod duration;
mod env;
mod instance;
mod pod_template;
mod policy;
mod quantity;
mod references;
mod sandbox;
mod schedule;
mod skill_pack;
mod usd;

pub use agent_run::{
    AgentRun, AgentRunSpec, AgentRunStatus, AgentSpec, ModelSpec, ParentSpec, RunUsage, SkillGrant,
    TokenUsage, ToolPolicySpec,
};
pub use duration::{GoDuration, InvalidDuration};
pub use env::EnvVar;
pub use instance::{
    AccessControl, AgentSettings, Agents, ApproverSpec, AuthRef, ChannelPhase, ChannelSpec, ChannelStatus,
    InstancePhase, MemorySpec, SubagentsSpec, SympoziumInstance, SympoziumInstanceSpec,
    SympoziumInstanceStatus,
};
pub use pod_template::{
    ImagePullSecret, PodTemplate, ResourceAmounts, Toleration, TolerationEffect, TolerationOperator,
};
pub use policy::{
    BudgetSpec, CapSpec, EgressHostSpec, EgressSpec, ImagesSpec, ModelsSpec, NetworkPolicySpec,
    SandboxPolicySpec, SkillsSpec, SubagentPolicySpec, SympoziumPolicy, SympoziumPolicySpec,
    SympoziumPolicyStatus, ToolGatingSpec, ToolRuleSpec,
};
pub use quantity::{InvalidQuantity, Quantity};
pub use references::{HostPortSpec, RbacRuleSpec, SecretRef, SkillRefSpec};
pub use sandbox::{
    CapabilitiesSpec, RunSandboxSpec, SandboxSpec, SeccompProfileSpec, SeccompType, SecurityContextSpec,
};
pub use schedule::{
    ConcurrencyPolicy, DeliverTo, SchedulePhase, ScheduleType, SympoziumSchedule, SympoziumScheduleSpec,
    SympoziumScheduleStatus,
};
pub use skill_pack::{
    PackSkill, RequiresSpec, RuntimeRequirements, SidecarResources, SidecarSpec, SkillPack, SkillPackPhase,
    SkillPackSpec, SkillPackStatus, TypedToolSpec,
};
pub use usd::{InvalidUsd, Usd};
