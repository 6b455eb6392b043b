//! Whether a run may be made: what it names is there, its policies allow it. Pure. Entry: [`admit`].

use crate::convert::{self, ConfigMapSkills, PackEntry, PlanInputs};
use crate::crd::v1alpha1::{AgentRun, SympoziumInstance, SympoziumPolicy};
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{Policy, PolicyName, PolicyOrigin, Verdict, decide, max_concurrent};
use sympozium_core::run::RunPlan;

/// A policy that holds for a run, or should.
#[derive(Debug, Clone, Copy)]
pub struct HoldingPolicy<'a> {
    /// How it came to hold.
    pub origin: PolicyOrigin,
    /// Its namespace and name.
    pub name: (&'a str, &'a str),
    /// The policy; `None` = there is none of that name.
    pub policy: Option<&'a SympoziumPolicy>,
}

/// All that admission looks at.
#[derive(Debug, Clone, Copy)]
pub struct AdmitInputs<'a> {
    /// The run.
    pub run: &'a AgentRun,
    /// Its identity.
    pub uid: RunUid,
    /// Its namespace.
    pub namespace: &'a Namespace,
    /// Its instance; `None` = there is none of that name.
    pub instance: Option<&'a SympoziumInstance>,
    /// The policies, install-wide first.
    pub policies: &'a [HoldingPolicy<'a>],
    /// The packs that there are.
    pub packs: &'a [PackEntry<'a>],
    /// The ConfigMaps that the run names as skills.
    pub config_maps: &'a [ConfigMapSkills],
    /// How many other runs its parent has spawned; `None` for runs that nobody spawned.
    pub siblings: Option<u32>,
    /// Whether NetworkPolicies hold here; `None` = not known, and then not required to.
    pub network_enforced: Option<bool>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// It may be made.
    Admitted {
        /// What is to be made.
        plan: Box<RunPlan>,
        /// How many runs of its instance may be under way.
        limit: u32,
    },
    /// Something that it names is not there.
    Missing(String),
    /// It may not.
    Refused {
        /// One CamelCase word.
        reason: &'static str,
        /// Why, for people.
        message: String,
    },
}

/// Whether a run may be made, and as what.
pub fn admit(inputs: &AdmitInputs<'_>) -> Admission {
    let Some(instance) = inputs.instance else {
        let name = &inputs.run.spec.instance_ref;
        return Admission::Missing(format!("There is no SympoziumInstance {name}"));
    };
    if let Some(missing) = missing_skill(inputs, instance) {
        return Admission::Missing(missing);
    }
    let policies = match policies(inputs.policies) {
        Ok(policies) => policies,
        Err(admission) => return admission,
    };
    let plan = convert::plan(&PlanInputs {
        run: inputs.run,
        uid: inputs.uid,
        namespace: inputs.namespace,
        instance,
        policies: &policies,
        packs: inputs.packs,
        config_maps: inputs.config_maps,
        secrets: None,
    });
    match plan {
        Ok(plan) => ask(inputs, plan),
        Err(invalid) => Admission::Refused {
            reason: "Invalid",
            message: invalid.to_string(),
        },
    }
}

fn ask(inputs: &AdmitInputs<'_>, plan: RunPlan) -> Admission {
    let mut request = convert::run_request(&plan);
    request.siblings = inputs.siblings;
    request.network_enforced = inputs.network_enforced;
    let decision = decide(&plan.policies, &request);
    let denials: Vec<_> = decision.denials().map(sentence).collect();
    if denials.is_empty() {
        let limit = max_concurrent(&plan.policies, plan.subagents);
        let plan = Box::new(plan);
        return Admission::Admitted { plan, limit };
    }
    Admission::Refused {
        reason: "PolicyDenied",
        message: denials.join(" "),
    }
}

fn sentence(verdict: &Verdict) -> String {
    let Verdict {
        policy, rule, reason, ..
    } = verdict;
    if rule.is_empty() {
        format!("{policy}: {reason}")
    } else {
        format!("{policy} ({rule}): {reason}")
    }
}

/// The policies as they decide. One that is named and not there, or can't be read, refuses: nothing may be allowed by
/// losing a policy.
fn policies(holding: &[HoldingPolicy<'_>]) -> Result<Vec<Policy>, Admission> {
    let mut read = Vec::with_capacity(holding.len());
    for HoldingPolicy {
        origin,
        name: (namespace, name),
        policy,
    } in holding
    {
        let Some(policy) = policy else {
            return Err(Admission::Missing(format!(
                "There is no SympoziumPolicy {name} in the namespace {namespace}"
            )));
        };
        let reading = convert::policy(&policy.spec, PolicyName(format!("{namespace}/{name}")), *origin);
        match reading {
            Ok(reading) => read.push(reading.policy),
            Err(invalid) => {
                return Err(Admission::Refused {
                    reason: "InvalidPolicy",
                    message: invalid.to_string(),
                });
            }
        }
    }
    Ok(read)
}

/// The first skill that is named and not there.
fn missing_skill(inputs: &AdmitInputs<'_>, instance: &SympoziumInstance) -> Option<String> {
    let references = inputs.run.spec.skills.as_ref().unwrap_or(&instance.spec.skills);
    references.iter().find_map(|reference| {
        if let Some(pack) = &reference.skill_pack_ref {
            let (name, only_builtin) = pack
                .strip_prefix("system/")
                .map_or((pack.as_str(), false), |name| (name, true));
            let there = inputs.packs.iter().any(|entry| {
                entry.pack.metadata.name.as_deref() == Some(name) && (entry.builtin || !only_builtin)
            });
            return (!there).then(|| format!("There is no SkillPack {pack}"));
        }
        let map = reference.config_map_ref.as_ref()?;
        let there = inputs.config_maps.iter().any(|there| there.name == *map);
        (!there).then(|| format!("There is no ConfigMap {map}"))
    })
}

#[cfg(test)]
#[path = "admit_tests.rs"]
mod tests;
