//! The rights of all packs of a run.

use super::drop_reason::{DropReason, DroppedRule};
use super::filter::{Place, refusal};
use super::right::{Right, rights, rules};
use crate::crd::v1alpha1::{RbacRuleSpec, SkillGrant};
use crate::objects::RunSurroundings;
use std::collections::BTreeMap;
use sympozium_core::ids::{Namespace, PackName};
use sympozium_core::run::RunPlan;
use sympozium_core::skill::RbacRule;

/// What of the packs' rules holds, and what does not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grants {
    /// The rights that hold, by pack and namespace. None is without rules.
    pub given: Vec<SkillGrant>,
    /// The rest.
    pub dropped: Vec<DroppedRule>,
}

impl Grants {
    /// Whether a pack has any right.
    pub fn has(&self, pack: &PackName) -> bool {
        self.given.iter().any(|grant| grant.skill == pack.as_str())
    }
}

/// What of the rules of a run's packs holds: `rbac` in the target namespaces, else in the run's own; `clusterRBAC` in the
/// whole cluster.
pub fn grants(plan: &RunPlan, surroundings: &RunSurroundings<'_>) -> Grants {
    let mut grants = Grants::default();
    let targets = targets(plan, surroundings);
    for skill in &plan.skills {
        let Some(sidecar) = &skill.sidecar else { continue };
        for target in &targets {
            let place = place(target, plan, surroundings);
            grants.add(&skill.pack, Some(target), place, &sidecar.rbac);
        }
        grants.add(&skill.pack, None, Place::Cluster, &sidecar.cluster_rbac);
    }
    grants
}

fn targets(plan: &RunPlan, surroundings: &RunSurroundings<'_>) -> Vec<Namespace> {
    let mut targets = surroundings.instance.target_namespaces.clone();
    if targets.is_empty() {
        targets.push(plan.run.namespace.clone());
    }
    targets.sort();
    targets.dedup();
    targets
}

fn place(target: &Namespace, plan: &RunPlan, surroundings: &RunSurroundings<'_>) -> Place {
    // A run in the installation's namespace gets the less of both.
    if *target == surroundings.installation.namespace {
        Place::Installation
    } else if *target == plan.run.namespace {
        Place::Own
    } else {
        Place::Elsewhere
    }
}

impl Grants {
    fn add(&mut self, pack: &PackName, namespace: Option<&Namespace>, place: Place, given: &[RbacRule]) {
        let mut kept: Vec<RbacRuleSpec> = Vec::new();
        for rule in given {
            let mut refused: BTreeMap<DropReason, Vec<Right<'_>>> = BTreeMap::new();
            let mut fine = Vec::new();
            for right in rights(rule) {
                match refusal(place, right.group, right.resource, right.verb) {
                    Some(reason) => refused.entry(reason).or_default().push(right),
                    None => fine.push(right),
                }
            }
            kept.extend(rules(&fine));
            for (reason, rights) in refused {
                self.dropped
                    .extend(rules(&rights).into_iter().map(|rule| DroppedRule {
                        skill: pack.clone(),
                        namespace: namespace.cloned(),
                        rule,
                        reason,
                    }));
            }
        }
        if !kept.is_empty() {
            self.given.push(SkillGrant {
                skill: pack.to_string(),
                namespace: namespace.map(ToString::to_string),
                rules: kept,
            });
        }
    }
}
