//! Each run as a plan, with the policies that hold and what they say.

use super::runs::{Pair, pairs};
use super::{Sources, Wishes};
use crate::cli::failure::Failure;
use crate::cli::objects::{Holding, PolicySet, in_namespace, name_of};
use sympozium_core::ids::RunUid;
use sympozium_core::policy::{Decision, decide};
use sympozium_core::run::RunPlan;
use sympozium_k8s::convert::{self, KeySecret, PackEntry, PlanInputs};

/// A run that could begin, if its policies let it.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Planned {
    /// The plan.
    pub(in crate::cli) plan: RunPlan,
    /// The policies, and what in them changes nothing.
    pub(in crate::cli) holding: Holding,
    /// What they say.
    pub(in crate::cli) decision: Decision,
    /// What people should know.
    pub(in crate::cli) notes: Vec<String>,
}

/// The plans of all runs, in order. Fails with all that is wrong with the first that is wrong.
pub(in crate::cli) fn plans(
    wishes: &Wishes,
    sources: Sources<'_>,
    mut uid: impl FnMut() -> RunUid,
) -> Result<Vec<Planned>, Failure> {
    let first = uid();
    let mut next = Some(first);
    pairs(wishes, sources, first)?
        .into_iter()
        .map(|pair| planned(pair, wishes, sources, next.take().unwrap_or_else(&mut uid)))
        .collect()
}

fn planned(pair: Pair, wishes: &Wishes, sources: Sources<'_>, uid: RunUid) -> Result<Planned, Failure> {
    let namespace = pair
        .run
        .metadata
        .namespace
        .as_deref()
        .unwrap_or(wishes.instance.namespace.as_str())
        .to_owned();
    let policies = PolicySet {
        flags: sources.policies,
        files: sources.objects,
    };
    let holding = policies.of(&pair.instance, &namespace)?;
    let (packs, secrets) = (packs(sources, &namespace), secrets(sources, &namespace));
    let plan = convert::plan(&PlanInputs {
        run: &pair.run,
        uid,
        namespace: &wishes.instance.namespace,
        instance: &pair.instance,
        policies: &holding.policies,
        packs: &packs,
        config_maps: &[],
        secrets: Some(&secrets),
    })
    .map_err(|error| Failure::input(format!("{error}.")))?;
    Ok(Planned {
        decision: decide(&holding.policies, &convert::run_request(&plan)),
        plan,
        holding,
        notes: pair.notes,
    })
}

/// The packs that a run of this namespace may name.
fn packs<'a>(sources: Sources<'a>, namespace: &str) -> Vec<PackEntry<'a>> {
    sources
        .objects
        .packs
        .iter()
        .filter(|given| in_namespace(&given.object.metadata, namespace))
        .chain(sources.skills)
        .map(|given| PackEntry {
            pack: &given.object,
            builtin: false,
        })
        .collect()
}

/// The Secrets that a run of this namespace may name, without their values.
fn secrets(sources: Sources<'_>, namespace: &str) -> Vec<KeySecret> {
    sources
        .objects
        .secrets
        .iter()
        .filter(|given| in_namespace(&given.object.metadata, namespace))
        .map(|given| KeySecret {
            name: name_of(&given.object.metadata).to_owned(),
            base_url: given.object.base_url().map(str::to_owned),
        })
        .collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
