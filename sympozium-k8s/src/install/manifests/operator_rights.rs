//! What the operator may do. It needs `escalate` and `bind`, because it gives skills rights that it does not have itself;
//! `fence` says for which roles.

use super::identities::rule;
use super::{cluster_metadata, metadata};
use crate::crd::GROUP;
use crate::install::InstallOptions;
use crate::install::names::OPERATOR;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};

const RBAC: &str = "rbac.authorization.k8s.io";

/// In the whole cluster.
pub(super) fn cluster_role(options: &InstallOptions) -> ClusterRole {
    ClusterRole {
        metadata: cluster_metadata(options, OPERATOR, OPERATOR),
        rules: Some(
            own_kinds()
                .into_iter()
                .chain(run_objects())
                .chain(rbac())
                .collect(),
        ),
        ..ClusterRole::default()
    }
}

fn own_kinds() -> Vec<PolicyRule> {
    vec![
        rule(
            GROUP,
            &["agentruns"],
            &["get", "list", "watch", "create", "patch", "delete"],
        ),
        rule(
            GROUP,
            &[
                "sympoziuminstances",
                "sympoziumpolicies",
                "skillpacks",
                "sympoziumschedules",
            ],
            &["get", "list", "watch"],
        ),
        rule(
            GROUP,
            &[
                "agentruns/status",
                "sympoziuminstances/status",
                "sympoziumpolicies/status",
                "skillpacks/status",
                "sympoziumschedules/status",
            ],
            &["patch"],
        ),
        // Who owns an object in a way that holds up the owner's deletion must be allowed to hold it up.
        rule(
            GROUP,
            &[
                "agentruns/finalizers",
                "sympoziuminstances/finalizers",
                "skillpacks/finalizers",
                "sympoziumschedules/finalizers",
            ],
            &["update"],
        ),
        rule("", &["namespaces"], &["get", "list", "watch"]),
    ]
}

fn run_objects() -> Vec<PolicyRule> {
    vec![
        rule(
            "batch",
            &["jobs"],
            &["get", "list", "watch", "create", "patch", "delete"],
        ),
        rule("", &["pods"], &["get", "list", "watch", "delete"]),
        rule("", &["pods/log"], &["get"]),
        rule(
            "",
            &["configmaps"],
            &["get", "create", "update", "patch", "delete"],
        ),
        rule(
            "",
            &["serviceaccounts"],
            &["get", "list", "create", "patch", "delete"],
        ),
        rule(
            "networking.k8s.io",
            &["networkpolicies"],
            &["get", "create", "patch", "delete"],
        ),
        rule("events.k8s.io", &["events"], &["create", "patch"]),
    ]
}

fn rbac() -> Vec<PolicyRule> {
    let kinds = ["roles", "clusterroles"];
    vec![
        rule(
            RBAC,
            &kinds,
            &["get", "list", "create", "patch", "delete", "escalate", "bind"],
        ),
        rule(
            RBAC,
            &["rolebindings", "clusterrolebindings"],
            &["get", "list", "create", "patch", "delete"],
        ),
    ]
}

/// In its own namespace: the lease by which one operator leads.
pub(super) fn role(options: &InstallOptions) -> Role {
    let named = PolicyRule {
        resource_names: Some(vec![OPERATOR.to_owned()]),
        ..rule("coordination.k8s.io", &["leases"], &["get", "update"])
    };
    Role {
        metadata: metadata(options, OPERATOR, OPERATOR),
        // A name can't be demanded of what does not exist yet.
        rules: Some(vec![named, rule("coordination.k8s.io", &["leases"], &["create"])]),
    }
}
