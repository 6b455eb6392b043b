//! ServiceAccount, roles and bindings of a run.

use super::grants::Grants;
use crate::crd::v1alpha1::{RbacRuleSpec, SkillGrant};
use crate::objects::names::{self, metadata, run_service_account, skill_role};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use sympozium_core::ids::PackName;
use sympozium_core::run::RunPlan;

/// The objects that give a run's packs their rights.
#[derive(Debug, Default)]
pub(in crate::objects) struct RbacObjects {
    pub(in crate::objects) service_account: Option<ServiceAccount>,
    pub(in crate::objects) roles: Vec<Role>,
    pub(in crate::objects) role_bindings: Vec<RoleBinding>,
    pub(in crate::objects) cluster_roles: Vec<ClusterRole>,
    pub(in crate::objects) cluster_role_bindings: Vec<ClusterRoleBinding>,
}

/// Makes them. A run without rights has none, not even an identity of its own.
pub(in crate::objects) fn rbac_objects(plan: &RunPlan, grants: &Grants) -> RbacObjects {
    let mut objects = RbacObjects::default();
    if grants.given.is_empty() {
        return objects;
    }
    let namespace = plan.run.namespace.as_str();
    objects.service_account = Some(ServiceAccount {
        metadata: metadata(
            run_service_account(plan.run.uid),
            Some(namespace),
            names::run_labels(plan),
            vec![names::owned_by_run(&plan.run)],
        ),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    });
    for pack in plan.skills.iter().map(|skill| &skill.pack) {
        let of_pack = grants.given.iter().filter(|grant| grant.skill == pack.as_str());
        for grant in of_pack {
            objects.add(plan, pack, grant);
        }
    }
    objects
}

impl RbacObjects {
    fn add(&mut self, plan: &RunPlan, pack: &PackName, grant: &SkillGrant) {
        let metadata = role_metadata(plan, pack, grant.namespace.as_deref());
        let rules = Some(grant.rules.iter().map(policy_rule).collect());
        let subjects = Some(vec![subject(plan)]);
        if grant.namespace.is_some() {
            self.roles.push(Role {
                metadata: metadata.clone(),
                rules,
            });
            self.role_bindings.push(RoleBinding {
                metadata,
                role_ref: role_ref(plan, pack, "Role"),
                subjects,
            });
        } else {
            self.cluster_roles.push(ClusterRole {
                metadata: metadata.clone(),
                rules,
                ..ClusterRole::default()
            });
            self.cluster_role_bindings.push(ClusterRoleBinding {
                metadata,
                role_ref: role_ref(plan, pack, "ClusterRole"),
                subjects,
            });
        }
    }
}

/// The run owns what is in its namespace. What is elsewhere it can't own, and is found by its UID.
fn role_metadata(plan: &RunPlan, pack: &PackName, namespace: Option<&str>) -> ObjectMeta {
    let mut labels: BTreeMap<String, String> = names::run_labels(plan);
    labels.insert(names::SKILL.to_owned(), pack.to_string());
    let own = namespace == Some(plan.run.namespace.as_str());
    if !own {
        labels.insert(names::RUN_NAMESPACE.to_owned(), plan.run.namespace.to_string());
    }
    let owners = own.then(|| names::owned_by_run(&plan.run));
    metadata(
        skill_role(pack, plan.run.uid),
        namespace,
        labels,
        owners.into_iter().collect(),
    )
}

fn role_ref(plan: &RunPlan, pack: &PackName, kind: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: skill_role(pack, plan.run.uid),
    }
}

fn subject(plan: &RunPlan) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: run_service_account(plan.run.uid),
        namespace: Some(plan.run.namespace.to_string()),
        ..Subject::default()
    }
}

fn policy_rule(rule: &RbacRuleSpec) -> PolicyRule {
    PolicyRule {
        api_groups: Some(rule.api_groups.clone()),
        resources: Some(rule.resources.clone()),
        verbs: rule.verbs.clone(),
        ..PolicyRule::default()
    }
}
