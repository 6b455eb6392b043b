//! From a SympoziumPolicy to a policy that decides.

use super::bounds;
use super::problem::{Findings, InvalidObjects};
use crate::crd::v1alpha1::{
    CapSpec, EgressHostSpec, HostPortSpec, NetworkPolicySpec, SandboxPolicySpec, SympoziumPolicySpec,
    ToolGatingSpec,
};
use std::collections::BTreeMap;
use sympozium_core::policy::{
    Budget, Cap, EgressHost, EgressPolicy, Feature, ModelRules, NetworkPolicy, Pattern, Policy, PolicyName,
    PolicyOrigin, SandboxPolicy, SkillPolicy, SubagentPolicy, ToolGating, ToolRule,
};
use sympozium_core::skill::HostPort;

/// Something in a policy that changes nothing, and that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The field, such as `spec.networkPolicy.allowDNS`.
    pub path: String,
    /// What about it.
    pub reason: NoteReason,
}

/// Why something in a policy changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoteReason {
    /// It asks for less isolation than there always is.
    PartlyHonoured,
    /// There is no such feature gate.
    UnknownFeatureGate,
}

impl NoteReason {
    /// The reason in the condition `Ready`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartlyHonoured => "PartlyHonoured",
            Self::UnknownFeatureGate => "UnknownFeatureGate",
        }
    }

    /// What it means, for people.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::PartlyHonoured => "changes nothing: runs are always isolated from host and network",
            Self::UnknownFeatureGate => "changes nothing: there is no feature gate of that name",
        }
    }
}

/// A policy as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyReading {
    /// What decides.
    pub policy: Policy,
    /// What of it changes nothing.
    pub notes: Vec<Note>,
}

/// Reads a policy. `name` is what verdicts call it; `origin` says how it came to hold.
pub fn policy(
    spec: &SympoziumPolicySpec,
    name: PolicyName,
    origin: PolicyOrigin,
) -> Result<PolicyReading, InvalidObjects> {
    let mut findings = Findings::of("SympoziumPolicy", &name.0);
    bounds::check("SympoziumPolicy", spec, &mut findings);
    let mut notes = Vec::new();
    let policy = Policy {
        sandbox: sandbox(spec.sandbox_policy.as_ref(), &mut notes),
        subagents: subagents(spec),
        tools: tool_gating(spec.tool_gating.as_ref(), &mut findings),
        features: features(&spec.feature_gates, &mut notes),
        network: network(spec.network_policy.as_ref(), &mut notes),
        models: models(spec, &mut findings),
        images: images(spec, &mut findings),
        egress: egress(spec, origin, &mut findings),
        budget: budget(spec),
        skills: skills(spec),
        ..Policy::open(name, origin)
    };
    findings.finish(Some(PolicyReading { policy, notes }))
}

fn partly(notes: &mut Vec<Note>, path: &str) {
    notes.push(Note {
        path: path.to_owned(),
        reason: NoteReason::PartlyHonoured,
    });
}

fn sandbox(spec: Option<&SandboxPolicySpec>, notes: &mut Vec<Note>) -> SandboxPolicy {
    let Some(spec) = spec else {
        return SandboxPolicy::default();
    };
    if spec.allow_host_mounts {
        partly(notes, "spec.sandboxPolicy.allowHostMounts");
    }
    SandboxPolicy {
        required: spec.required,
        default_image: spec.default_image.clone(),
        max_cpu_millis: spec
            .max_cpu
            .as_ref()
            .map(crate::crd::v1alpha1::Quantity::thousandths),
        max_memory_bytes: spec
            .max_memory
            .as_ref()
            .map(crate::crd::v1alpha1::Quantity::units),
    }
}

fn subagents(spec: &SympoziumPolicySpec) -> SubagentPolicy {
    spec.subagent_policy
        .as_ref()
        .map_or_else(SubagentPolicy::default, |given| SubagentPolicy {
            max_depth: Some(given.max_depth),
            max_concurrent: Some(given.max_concurrent),
            max_children: given.max_children_per_agent,
        })
}

fn tool_gating(spec: Option<&ToolGatingSpec>, findings: &mut Findings) -> ToolGating {
    let Some(spec) = spec else {
        return ToolGating::default();
    };
    let mut rules = Vec::new();
    for (index, rule) in spec.rules.iter().enumerate() {
        let path = format!("spec.toolGating.rules[{index}].tool");
        if let Some(tool) = findings.take(path, Pattern::new(&rule.tool)) {
            rules.push(ToolRule {
                tool,
                action: rule.action,
            });
        }
    }
    ToolGating {
        default_action: spec.default_action,
        rules,
    }
}

fn features(gates: &BTreeMap<String, bool>, notes: &mut Vec<Note>) -> BTreeMap<Feature, bool> {
    let mut known = BTreeMap::new();
    for (name, allowed) in gates {
        match Feature::ALL.into_iter().find(|feature| feature.as_str() == name) {
            Some(feature) => {
                known.insert(feature, *allowed);
            }
            None => notes.push(Note {
                path: format!("spec.featureGates.{name}"),
                reason: NoteReason::UnknownFeatureGate,
            }),
        }
    }
    known
}

fn network(spec: Option<&NetworkPolicySpec>, notes: &mut Vec<Note>) -> NetworkPolicy {
    let Some(spec) = spec else {
        return NetworkPolicy::default();
    };
    for (given, loosens, path) in [
        (spec.deny_all, false, "spec.networkPolicy.denyAll"),
        (spec.allow_dns, true, "spec.networkPolicy.allowDNS"),
        (spec.allow_event_bus, false, "spec.networkPolicy.allowEventBus"),
    ] {
        if given == Some(loosens) {
            partly(notes, path);
        }
    }
    NetworkPolicy {
        allowed_egress: spec
            .allowed_egress
            .as_ref()
            .map(|targets| targets.iter().map(host_port).collect()),
        require_enforced: spec.require_enforced,
    }
}

/// A network target; host names compare without case, so they are kept in lower case.
pub(super) fn host_port(spec: &HostPortSpec) -> HostPort {
    HostPort {
        host: spec.host.to_ascii_lowercase(),
        port: spec.port,
    }
}

fn models(spec: &SympoziumPolicySpec, findings: &mut Findings) -> ModelRules {
    let Some(given) = &spec.models else {
        return ModelRules::default();
    };
    ModelRules {
        allow: findings.take_each("spec.models.allow", &given.allow, Pattern::new),
        deny: findings.take_each("spec.models.deny", &given.deny, Pattern::new),
    }
}

fn images(spec: &SympoziumPolicySpec, findings: &mut Findings) -> Option<Vec<Pattern>> {
    let given = spec.images.as_ref()?;
    Some(findings.take_each("spec.images.allow", &given.allow, Pattern::new))
}

fn egress(spec: &SympoziumPolicySpec, origin: PolicyOrigin, findings: &mut Findings) -> Option<EgressPolicy> {
    let given = spec.egress.as_ref()?;
    let hosts = given
        .hosts
        .iter()
        .enumerate()
        .filter_map(|(index, host)| egress_host(index, host, origin, findings))
        .collect();
    Some(EgressPolicy { hosts })
}

fn egress_host(
    index: usize,
    spec: &EgressHostSpec,
    origin: PolicyOrigin,
    findings: &mut Findings,
) -> Option<EgressHost> {
    let path = format!("spec.egress.hosts[{index}]");
    if spec.private && origin != PolicyOrigin::InstallWide {
        findings.add(
            format!("{path}.private"),
            "only the install-wide policy may allow private addresses",
        );
    }
    let host = findings.take(
        format!("{path}.host"),
        Pattern::new(spec.host.to_ascii_lowercase()),
    );
    let paths = findings.take_each(&format!("{path}.paths"), &spec.paths, Pattern::new);
    Some(EgressHost {
        host: host?,
        methods: spec
            .methods
            .iter()
            .map(|method| method.to_ascii_uppercase())
            .collect(),
        paths,
        private: spec.private,
    })
}

fn budget(spec: &SympoziumPolicySpec) -> Budget {
    let Some(given) = &spec.budget else {
        return Budget::default();
    };
    Budget {
        per_run: cap(given.per_run),
        per_day: cap(given.per_day),
        per_month: cap(given.per_month),
    }
}

fn cap(spec: Option<CapSpec>) -> Cap {
    let spec = spec.unwrap_or_default();
    Cap {
        // A negative number is refused by the schema's bounds; here it becomes the strictest cap, never an open one.
        tokens: spec.tokens.map(|tokens| u64::try_from(tokens).unwrap_or(0)),
        micro_usd: spec.usd.map(crate::crd::v1alpha1::Usd::micros),
    }
}

fn skills(spec: &SympoziumPolicySpec) -> SkillPolicy {
    spec.skills
        .as_ref()
        .map_or_else(SkillPolicy::default, |given| SkillPolicy {
            ceiling_ref: given.ceiling_ref.clone(),
            shared_identity: given.shared_identity,
        })
}
