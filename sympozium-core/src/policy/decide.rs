//! All questions about one run, answered in a fixed order: [`decide`].

use super::finding::{Finding, strictest};
use super::{
    Cap, Decision, Feature, Policy, Question, RunRequest, ToolGate, Verdict, decide_image, decide_model,
    decide_sandbox, decide_sidecar_egress, decide_subagents, decide_tool,
};
use crate::ids::ToolName;

/// Whether a run may exist, and with what.
///
/// The answer is the intersection of all `policies` (install-wide first); an empty list refuses. Pure: the same inputs
/// give the same verdicts in the same order.
pub fn decide(policies: &[Policy], request: &RunRequest) -> Decision {
    let mut verdicts = vec![
        decide_sandbox(policies, request.sandbox.as_ref()),
        decide_subagents(policies, request),
        decide_model(policies, &request.provider, &request.model),
    ];
    verdicts.extend(
        request
            .images
            .iter()
            .map(|(field, image)| decide_image(policies, image, field)),
    );
    verdicts.push(decide_network(policies, request.network_enforced));
    verdicts.extend(
        request
            .egress
            .iter()
            .map(|(field, target)| decide_sidecar_egress(policies, target, field)),
    );
    verdicts.push(decide_skills(policies, request));
    verdicts.push(decide_budget(policies));
    verdicts.extend(Feature::ALL.into_iter().map(|feature| {
        let needed = request.features.iter().find(|(wanted, _)| *wanted == feature);
        decide_feature(policies, feature, needed.map_or("", |(_, field)| field.as_str()))
    }));
    let gate = request.gate(policies);
    verdicts.extend(
        request
            .needed_tools
            .iter()
            .map(|(field, tool)| decide_needed_tool(&gate, tool, field)),
    );
    let is_needed = |tool: &ToolName| request.needed_tools.iter().any(|(_, needed)| needed == tool);
    let others = request.tools.iter().filter(|tool| !is_needed(tool));
    verdicts.extend(others.map(|tool| decide_tool(&gate, tool)));
    Decision { verdicts }
}

/// Whether a tool may be called that a run can't do without; `field` is where it is named.
fn decide_needed_tool(gate: &ToolGate, tool: &ToolName, field: &str) -> Verdict {
    Verdict {
        field: field.to_owned(),
        ..decide_tool(gate, tool)
    }
}

/// Whether a feature is switched on. An empty `field` means that the run could do without it.
pub fn decide_feature(policies: &[Policy], feature: Feature, field: &str) -> Verdict {
    let name = feature.as_str();
    let findings = policies.iter().map(|policy| match policy.features.get(&feature) {
        Some(false) => Finding::deny(
            &policy.name,
            format!("featureGates.{name}"),
            format!("The feature {name} is switched off."),
        ),
        Some(true) => Finding::allow(
            &policy.name,
            format!("featureGates.{name}"),
            format!("The feature {name} is switched on."),
        ),
        None => Finding::allow(
            &policy.name,
            "featureGates",
            format!("The feature {name} is on: no gate names it."),
        ),
    });
    strictest(Question::Feature(feature), field, findings)
}

/// Whether the network is closed as the policies require.
pub fn decide_network(policies: &[Policy], enforced: Option<bool>) -> Verdict {
    let findings = policies.iter().map(|policy| {
        if policy.network.require_enforced && enforced == Some(false) {
            let reason =
                "NetworkPolicies are not known to be enforced in this cluster, which this policy requires.";
            return Finding::deny(&policy.name, "networkPolicy.requireEnforced", reason);
        }
        Finding::allow(
            &policy.name,
            "networkPolicy",
            "The run reaches its gateway and nothing else.",
        )
    });
    strictest(Question::Network("pod".to_owned()), "spec", findings)
}

/// Whether a run may have this set of skills.
pub fn decide_skills(policies: &[Policy], request: &RunRequest) -> Verdict {
    let packs: Vec<_> = request.rbac_packs.iter().map(|(_, pack)| pack.as_str()).collect();
    let findings = policies.iter().map(|policy| {
        if !policy.skills.shared_identity && packs.len() > 1 {
            let reason = format!(
                "The packs {} would share one identity; use one of them per run.",
                packs.join(", ")
            );
            return Finding::deny(&policy.name, "skills.sharedIdentity", reason);
        }
        Finding::allow(&policy.name, "skills", "The skills are allowed together.")
    });
    strictest(Question::Skills, "spec.skills", findings)
}

/// Whether the budgets leave anything to run with, and which they are.
pub fn decide_budget(policies: &[Policy]) -> Verdict {
    let findings = policies.iter().map(|policy| {
        let budget = &policy.budget;
        let caps = [
            ("perRun", budget.per_run),
            ("perDay", budget.per_day),
            ("perMonth", budget.per_month),
        ];
        if let Some((field, _)) = caps
            .iter()
            .find(|(_, cap)| cap.tokens == Some(0) || cap.micro_usd == Some(0))
        {
            let reason = "The budget is zero, so no model may be called.";
            return Finding::deny(&policy.name, format!("budget.{field}"), reason);
        }
        let limits: Vec<_> = caps
            .iter()
            .filter(|(_, cap)| !cap.is_open())
            .map(|(field, cap)| format!("{field} {}", shown(*cap)))
            .collect();
        let reason = if limits.is_empty() {
            "No budget is set.".to_owned()
        } else {
            format!("The budget is: {}.", limits.join("; "))
        };
        Finding::allow(&policy.name, "budget", reason)
    });
    strictest(Question::Budget, "", findings)
}

fn shown(cap: Cap) -> String {
    let tokens = cap.tokens.map(|tokens| format!("{tokens} tokens"));
    let usd = cap
        .micro_usd
        .map(|micro| format!("{}.{:06} USD", micro / 1_000_000, micro % 1_000_000));
    tokens.into_iter().chain(usd).collect::<Vec<_>>().join(" and ")
}
