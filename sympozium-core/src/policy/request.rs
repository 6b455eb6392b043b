//! What a run wants, as far as policies have a say in it.

use super::{Feature, RunToolPolicy, ToolGate, tools::TOOL_FEATURES};
use crate::ids::{ModelName, PackName, ProviderName, ToolName};
use crate::run::{RunPlan, SubagentLimits};
use crate::skill::{HostPort, Skill};

/// The sandbox that a run wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxRequest {
    /// Its image.
    pub image: Option<String>,
    /// The most CPU that it asks for (request or limit), in thousandths of a core; `None` = what policies leave it.
    pub cpu_millis: Option<u64>,
    /// The most memory that it asks for (request or limit), in bytes; `None` = what policies leave it.
    pub memory_bytes: Option<u64>,
}

/// What a run wants. Every wish carries the path of the field that states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// The provider.
    pub provider: ProviderName,
    /// The model.
    pub model: ModelName,
    /// The sandbox.
    pub sandbox: Option<SandboxRequest>,
    /// How deep it was spawned; 0 = by nobody.
    pub depth: u32,
    /// What its instance lets runs spawn.
    pub subagents: SubagentLimits,
    /// How many other runs its parent has spawned already, where that is known.
    pub siblings: Option<u32>,
    /// Images that it names, with the field.
    pub images: Vec<(String, String)>,
    /// Targets of its sidecars, with the field.
    pub egress: Vec<(String, HostPort)>,
    /// Packs with RBAC, with the field.
    pub rbac_packs: Vec<(String, PackName)>,
    /// Features that it can't do without, with the field.
    pub features: Vec<(Feature, String)>,
    /// Tools to answer for.
    pub tools: Vec<ToolName>,
    /// Tools that it can't do without, with the field.
    pub needed_tools: Vec<(String, ToolName)>,
    /// Its own narrowing of tools.
    pub tool_policy: RunToolPolicy,
    /// Which of the tools are typed tools of packs.
    pub typed_tools: Vec<ToolName>,
    /// Whether NetworkPolicies are enforced where it would run; `None` where the question does not arise (locally).
    pub network_enforced: Option<bool>,
}

impl RunRequest {
    /// What a plan wants. Quantities must be given as numbers, because this crate does not parse Kubernetes quantities.
    pub fn of(plan: &RunPlan, sandbox: Option<SandboxRequest>) -> Self {
        let typed: Vec<_> = plan.typed_tool_names().cloned().collect();
        let mut tools: Vec<_> = TOOL_FEATURES
            .iter()
            .filter_map(|(name, _)| ToolName::new(*name).ok())
            .collect();
        tools.extend(typed.iter().cloned());
        let mut request = Self {
            provider: plan.model.provider.clone(),
            model: plan.model.model.clone(),
            sandbox,
            depth: plan.parent.as_ref().map_or(0, |parent| parent.depth),
            subagents: plan.subagents,
            siblings: None,
            images: Vec::new(),
            egress: Vec::new(),
            rbac_packs: Vec::new(),
            features: needed_features(plan),
            tools,
            needed_tools: needed_tools(plan),
            tool_policy: plan.tool_policy.clone(),
            typed_tools: typed,
            network_enforced: None,
        };
        request.add_images(plan);
        request.add_packs(plan);
        request
    }

    fn add_images(&mut self, plan: &RunPlan) {
        if let Some(agent) = &plan.agent {
            self.images
                .push(("spec.agent.image".to_owned(), agent.image.clone()));
        }
        if let Some(image) = self.sandbox.as_ref().and_then(|sandbox| sandbox.image.clone()) {
            self.images.push(("spec.sandbox.image".to_owned(), image));
        }
    }

    fn add_packs(&mut self, plan: &RunPlan) {
        for (i, skill) in plan.skills.iter().enumerate() {
            let field = format!("spec.skills[{i}]");
            let Some(sidecar) = &skill.sidecar else { continue };
            self.images.push((field.clone(), sidecar.image.clone()));
            self.egress.extend(
                sidecar
                    .egress
                    .iter()
                    .map(|target| (field.clone(), target.clone())),
            );
            if sidecar.wants_rbac() {
                self.rbac_packs.push((field, skill.pack.clone()));
            }
        }
    }

    /// The gate that its tools would pass.
    pub(super) fn gate(&self, policies: &[super::Policy]) -> ToolGate {
        ToolGate {
            layers: policies.iter().map(super::Policy::gate_layer).collect(),
            run: self.tool_policy.clone(),
            typed_tools: self.typed_tools.clone(),
        }
    }
}

fn needed_features(plan: &RunPlan) -> Vec<(Feature, String)> {
    let mut needed = Vec::new();
    if plan.sandbox.is_some() {
        needed.push((Feature::CodeExecution, "spec.sandbox.enabled".to_owned()));
    }
    if let Some(i) = plan.skills.iter().position(|skill| skill.sidecar.is_some()) {
        needed.push((Feature::CodeExecution, format!("spec.skills[{i}]")));
    }
    if let Some(i) = plan.skills.iter().position(is_browser_pack) {
        needed.push((Feature::BrowserAutomation, format!("spec.skills[{i}]")));
    }
    if plan.parent.is_some() {
        needed.push((Feature::SubAgents, "spec.parent".to_owned()));
    }
    if plan.memory.is_some() {
        needed.push((Feature::Memory, "spec.memory.enabled".to_owned()));
    }
    needed
}

fn is_browser_pack(skill: &Skill) -> bool {
    skill.category.as_deref() == Some("browser")
}

/// What skills say in `requires.tools`. A text that is no tool's name is left out: the conversion refuses it.
fn needed_tools(plan: &RunPlan) -> Vec<(String, ToolName)> {
    let named = |(i, skill): (usize, &Skill)| {
        let tools = skill
            .documents
            .iter()
            .flat_map(|document| &document.requires_tools);
        tools
            .filter_map(|tool| Some((format!("spec.skills[{i}]"), ToolName::new(tool).ok()?)))
            .collect::<Vec<_>>()
    };
    plan.skills.iter().enumerate().flat_map(named).collect()
}
