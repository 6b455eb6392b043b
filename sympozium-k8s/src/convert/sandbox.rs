//! Whether a run gets a sandbox, and which.
//!
//! Pure. Entries: [`sandbox`], [`run_request`].

use super::plan::PlanInputs;
use super::problem::Findings;
use crate::crd::v1alpha1::{Quantity, ResourceAmounts, RuntimeRequirements, SkillPack};
use std::collections::BTreeMap;
use sympozium_core::policy::{RunRequest, SandboxRequest, sandbox_ceiling};
use sympozium_core::run::{RunPlan, SandboxPlan};

/// The run's sandbox, else the instance's, else one that a pack needs.
pub(super) fn sandbox(
    inputs: &PlanInputs<'_>,
    packs: &[&SkillPack],
    findings: &mut Findings,
) -> Option<SandboxPlan> {
    let of_run = inputs.run.spec.sandbox.as_ref();
    let of_instance = inputs.instance.spec.agents.default.sandbox.as_ref();
    let needs: Vec<&RuntimeRequirements> = packs
        .iter()
        .filter_map(|pack| pack.spec.runtime_requirements.as_ref())
        .filter(|requirements| requirements.sandbox)
        .collect();
    check_security_context(inputs, findings);
    if of_run.is_some_and(|sandbox| !sandbox.enabled) {
        if !needs.is_empty() {
            findings.add("spec.sandbox.enabled", "a skill of the run needs a sandbox");
        }
        return None;
    }
    if of_run.is_none() && !of_instance.is_some_and(|sandbox| sandbox.enabled) && needs.is_empty() {
        return None;
    }
    let image = of_run
        .and_then(|sandbox| sandbox.image.clone())
        .or_else(|| needs.iter().find_map(|requirements| requirements.image.clone()))
        .or_else(|| of_instance?.image.clone())
        .or_else(|| {
            inputs
                .policies
                .iter()
                .find_map(|policy| policy.sandbox.default_image.clone())
        });
    let resources = of_run
        .and_then(|sandbox| sandbox.resources.clone())
        .or_else(|| of_instance?.resources.clone())
        .unwrap_or_default();
    Some(SandboxPlan {
        image,
        requests: requests(&resources, &needs),
        limits: limits(&resources, inputs),
    })
}

/// The limits that are given; what is left out is the most that the policies allow.
fn limits(resources: &ResourceAmounts, inputs: &PlanInputs<'_>) -> BTreeMap<String, String> {
    let mut limits = amounts(&resources.limits);
    let ceiling = sandbox_ceiling(inputs.policies);
    for (name, most) in [
        ("cpu", ceiling.cpu_millis.map(|millis| format!("{millis}m"))),
        ("memory", ceiling.memory_bytes.map(|bytes| bytes.to_string())),
    ] {
        if let Some(most) = most {
            limits.entry(name.to_owned()).or_insert(most);
        }
    }
    limits
}

/// What a plan asks of policies.
pub fn run_request(plan: &RunPlan) -> RunRequest {
    RunRequest::of(plan, plan.sandbox.as_ref().map(sandbox_request))
}

/// What a plan's sandbox asks of policies: the larger one of request and limit, as numbers.
///
/// An amount that is none asks for the most that there is: a plan from elsewhere gains nothing by being unreadable.
pub fn sandbox_request(plan: &SandboxPlan) -> SandboxRequest {
    let most = |name: &str, amount: fn(&Quantity) -> u64| {
        let given = [&plan.requests, &plan.limits].map(|amounts| amounts.get(name));
        let read = |text: &String| text.parse().map_or(u64::MAX, |quantity| amount(&quantity));
        given.into_iter().flatten().map(read).max()
    };
    SandboxRequest {
        image: plan.image.clone(),
        cpu_millis: most("cpu", Quantity::thousandths),
        memory_bytes: most("memory", Quantity::units),
    }
}

fn check_security_context(inputs: &PlanInputs<'_>, findings: &mut Findings) {
    let sandbox = inputs.run.spec.sandbox.as_ref();
    let Some(context) = sandbox.and_then(|sandbox| sandbox.security_context.as_ref()) else {
        return;
    };
    for (given, name) in [
        (context.read_only_root_filesystem, "readOnlyRootFilesystem"),
        (context.run_as_non_root, "runAsNonRoot"),
    ] {
        if given == Some(false) {
            findings.add(
                format!("spec.sandbox.securityContext.{name}"),
                "can't be false: a security context can only be tightened",
            );
        }
    }
}

/// What the run asks for; what it leaves out is the most that its packs need.
fn requests(resources: &ResourceAmounts, needs: &[&RuntimeRequirements]) -> BTreeMap<String, String> {
    let mut requests = amounts(&resources.requests);
    let most = |of: fn(&RuntimeRequirements) -> Option<&Quantity>| {
        needs
            .iter()
            .filter_map(|requirements| of(requirements))
            .max_by_key(|amount| amount.thousandths())
    };
    for (name, least) in [
        ("cpu", most(|requirements| requirements.min_cpu.as_ref())),
        ("memory", most(|requirements| requirements.min_memory.as_ref())),
    ] {
        if let Some(least) = least
            && !resources.limits.contains_key(name)
        {
            requests
                .entry(name.to_owned())
                .or_insert_with(|| least.to_string());
        }
    }
    requests
}

fn amounts(given: &BTreeMap<String, Quantity>) -> BTreeMap<String, String> {
    given
        .iter()
        .map(|(name, amount)| (name.clone(), amount.to_string()))
        .collect()
}
