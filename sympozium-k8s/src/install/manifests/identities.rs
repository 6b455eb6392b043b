//! ServiceAccounts, and who has which role.

use super::{cluster_metadata, metadata};
use crate::install::InstallOptions;
use crate::install::names;
use crate::install::options::{Database, EventBus};
use k8s_openapi::api::core::v1::{LocalObjectReference, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, PolicyRule, RoleBinding, RoleRef, Subject};

/// The parts that have a ServiceAccount. Bus and database get one so that they do not have the namespace's default one.
pub(super) fn parts(options: &InstallOptions) -> Vec<&'static str> {
    let bus = (options.event_bus == EventBus::Bundled).then_some(names::NATS);
    let database = (options.database == Database::Bundled).then_some(names::POSTGRES);
    [names::OPERATOR, names::GATEWAY]
        .into_iter()
        .chain(bus)
        .chain(database)
        .collect()
}

/// Nothing mounts its token unasked.
pub(super) fn service_account(options: &InstallOptions, part: &str) -> ServiceAccount {
    let reference = |name: &String| LocalObjectReference { name: name.clone() };
    let secrets: Vec<_> = options.images.pull_secrets.iter().map(reference).collect();
    ServiceAccount {
        metadata: metadata(options, part, part),
        automount_service_account_token: Some(false),
        image_pull_secrets: (!secrets.is_empty()).then_some(secrets),
        ..ServiceAccount::default()
    }
}

/// The part has the ClusterRole of its name.
pub(super) fn cluster_role_binding(options: &InstallOptions, part: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: cluster_metadata(options, part, part),
        role_ref: role_ref("ClusterRole", part),
        subjects: Some(vec![subject(options, part)]),
    }
}

/// The part has the Role of its name.
pub(super) fn role_binding(options: &InstallOptions, part: &str) -> RoleBinding {
    RoleBinding {
        metadata: metadata(options, part, part),
        role_ref: role_ref("Role", part),
        subjects: Some(vec![subject(options, part)]),
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn subject(options: &InstallOptions, part: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: part.to_owned(),
        namespace: Some(options.namespace.clone()),
        ..Subject::default()
    }
}

/// One rule.
pub(super) fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}
