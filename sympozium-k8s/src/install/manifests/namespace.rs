//! The installation's namespace.

use super::cluster_metadata;
use crate::install::InstallOptions;
use k8s_openapi::api::core::v1::Namespace;

/// Pods in it pass Pod Security `restricted`, and the API server sees to that.
pub(super) fn namespace(options: &InstallOptions) -> Namespace {
    let mut metadata = cluster_metadata(options, &options.namespace, "sympozium");
    let labels = metadata.labels.get_or_insert_default();
    for mode in ["enforce", "warn", "audit"] {
        labels.insert(
            format!("pod-security.kubernetes.io/{mode}"),
            "restricted".to_owned(),
        );
    }
    Namespace {
        metadata,
        ..Namespace::default()
    }
}
