//! What the built-in packs may do at the API server.
//!
//! Never Secrets, never exec into pods, never roles, never ServiceAccounts: with any of these a model that was talked into it
//! would leave what it was given.

use crate::crd::v1alpha1::RbacRuleSpec;

const READ: [&str; 3] = ["get", "list", "watch"];
const CHANGE: [&str; 6] = ["get", "list", "watch", "create", "patch", "update"];
const MANAGE: [&str; 7] = ["get", "list", "watch", "create", "patch", "update", "delete"];

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> RbacRuleSpec {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    RbacRuleSpec {
        api_groups: vec![group.to_owned()],
        resources: owned(resources),
        verbs: owned(verbs),
    }
}

/// Reads what explains how workloads are. In target namespaces.
pub(super) fn reading_workloads() -> Vec<RbacRuleSpec> {
    vec![
        rule(
            "",
            &[
                "pods",
                "services",
                "endpoints",
                "events",
                "configmaps",
                "persistentvolumeclaims",
                "replicationcontrollers",
                "resourcequotas",
                "limitranges",
            ],
            &READ,
        ),
        rule("", &["pods/log"], &["get"]),
        rule(
            "apps",
            &[
                "deployments",
                "statefulsets",
                "daemonsets",
                "replicasets",
                "controllerrevisions",
            ],
            &READ,
        ),
        rule("batch", &["jobs", "cronjobs"], &READ),
        rule("autoscaling", &["horizontalpodautoscalers"], &READ),
        rule("networking.k8s.io", &["ingresses", "networkpolicies"], &READ),
        rule("policy", &["poddisruptionbudgets"], &READ),
        rule("discovery.k8s.io", &["endpointslices"], &READ),
        rule("events.k8s.io", &["events"], &READ),
    ]
}

/// The same, and changes workloads. A pod can be deleted, so that another takes its place; Deployments, Jobs and the like
/// can be made. In target namespaces; where the run itself is, nothing that makes pods can be written.
pub(super) fn workloads() -> Vec<RbacRuleSpec> {
    let mut rules = reading_workloads();
    rules.extend([
        rule("", &["pods"], &["delete"]),
        rule("", &["services", "configmaps"], &CHANGE),
        rule("apps", &["deployments", "statefulsets", "daemonsets"], &MANAGE),
        rule(
            "apps",
            &["deployments/scale", "statefulsets/scale"],
            &["get", "patch", "update"],
        ),
        rule("batch", &["jobs", "cronjobs"], &MANAGE),
        rule("autoscaling", &["horizontalpodautoscalers"], &CHANGE),
        rule("networking.k8s.io", &["ingresses"], &CHANGE),
        rule("policy", &["poddisruptionbudgets"], &CHANGE),
    ]);
    rules
}

/// Reads what is in no namespace, and how workloads are in every one. Neither Secrets nor ConfigMaps: in ConfigMaps of
/// other tenants is what nobody meant to show.
pub(super) fn reading_everywhere() -> Vec<RbacRuleSpec> {
    vec![
        rule(
            "",
            &[
                "nodes",
                "namespaces",
                "persistentvolumes",
                "pods",
                "services",
                "events",
            ],
            &READ,
        ),
        rule(
            "apps",
            &["deployments", "statefulsets", "daemonsets", "replicasets"],
            &READ,
        ),
        rule("batch", &["jobs", "cronjobs"], &READ),
        rule("storage.k8s.io", &["storageclasses", "volumeattachments"], &READ),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &READ),
        rule("metrics.k8s.io", &["nodes", "pods"], &["get", "list"]),
    ]
}
