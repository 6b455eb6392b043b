//! What the gateway may do. The Secrets with providers' keys are not among it: the operator keeps a Role for each instance
//! with their names.

use super::cluster_metadata;
use super::identities::rule;
use crate::crd::GROUP;
use crate::install::InstallOptions;
use crate::install::names::GATEWAY;
use k8s_openapi::api::rbac::v1::ClusterRole;

/// In the whole cluster: whose a token is, which runs go on, and what holds for them.
pub(super) fn cluster_role(options: &InstallOptions) -> ClusterRole {
    ClusterRole {
        metadata: cluster_metadata(options, GATEWAY, GATEWAY),
        rules: Some(vec![
            rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
            rule(
                GROUP,
                &[
                    "agentruns",
                    "sympoziuminstances",
                    "sympoziumpolicies",
                    "skillpacks",
                ],
                &["get", "list", "watch"],
            ),
            rule("", &["namespaces"], &["get", "list", "watch"]),
        ]),
        ..ClusterRole::default()
    }
}
