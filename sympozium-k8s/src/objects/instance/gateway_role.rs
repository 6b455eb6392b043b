//! Which Secrets of an instance the gateway may read.

use super::Keeper;
use crate::objects::names::{self, Component};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use std::collections::BTreeSet;
use sympozium_core::ids::Namespace;

/// The gateway's right to read Secrets, and who has it.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayRole {
    /// The Secrets, by name.
    pub role: Role,
    /// The gateway's ServiceAccount.
    pub binding: RoleBinding,
}

/// The gateway may `get` these Secrets of the instance's namespace, and no others.
///
/// `None` when there are none: a rule without names would stand for every Secret, so that it is better deleted.
pub fn gateway_role(
    keeper: &Keeper,
    secrets: &BTreeSet<String>,
    service_account: (&Namespace, &str),
) -> Option<GatewayRole> {
    if secrets.is_empty() {
        return None;
    }
    let name = names::gateway_role(keeper.name());
    let metadata = keeper.metadata(name.clone(), Component::Instance);
    let (namespace, account) = service_account;
    Some(GatewayRole {
        role: Role {
            metadata: metadata.clone(),
            rules: Some(vec![PolicyRule {
                api_groups: Some(vec![String::new()]),
                resources: Some(vec!["secrets".to_owned()]),
                resource_names: Some(secrets.iter().cloned().collect()),
                verbs: vec!["get".to_owned()],
                ..PolicyRule::default()
            }]),
        },
        binding: RoleBinding {
            metadata,
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".to_owned(),
                kind: "Role".to_owned(),
                name,
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".to_owned(),
                name: account.to_owned(),
                namespace: Some(namespace.to_string()),
                ..Subject::default()
            }]),
        },
    })
}
