//! Names: their lengths, and that no two objects share one.

use crate::scene::{Scene, containers, k8s_ops, namespace, rule, scene, skill_with};
use serde_json::Value;
use std::collections::BTreeSet;
use sympozium_core::ids::{InstanceName, RunName};
use sympozium_core::run::SandboxPlan;
use sympozium_k8s::objects::names;

fn is_dns_label(text: &str) -> bool {
    regex::Regex::new("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
        .unwrap()
        .is_match(text)
}

fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label_of_any_length)
}

fn is_dns_label_of_any_length(text: &str) -> bool {
    regex::Regex::new("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
        .unwrap()
        .is_match(text)
}

#[test]
fn the_longest_names_fit() {
    let mut scene = scene();
    let long = "p".repeat(40);
    scene.plan.run.name = RunName::new("r".repeat(52)).unwrap();
    scene.plan.run.namespace = namespace(&"n".repeat(63));
    scene.plan.instance.name = InstanceName::new("i".repeat(40)).unwrap();
    scene.plan.sandbox = Some(SandboxPlan::default());
    scene.plan.skills = vec![skill_with(&long, |sidecar| {
        sidecar.rbac = vec![rule(&[""], &["pods"], &["get"])];
        sidecar.cluster_rbac = vec![rule(&[""], &["nodes"], &["get"])];
    })];
    let made = scene.built();
    let pod = scene.pod();
    // Pods are named after their Job, with six more characters, and a pod's name is also its host name.
    assert!(is_dns_label(&format!(
        "{}-abcde",
        made.job.metadata.name.as_deref().unwrap()
    )));
    for container in containers(&pod) {
        assert!(is_dns_label(container["name"].as_str().unwrap()), "{container}");
    }
    for volume in pod["spec"]["volumes"].as_array().unwrap() {
        assert!(is_dns_label(volume["name"].as_str().unwrap()), "{volume}");
    }
    for (name, value) in pod["metadata"]["labels"].as_object().unwrap() {
        assert!(names::is_label_value(value.as_str().unwrap()), "{name}: {value}");
    }
    let roles = made.roles.iter().map(|role| &role.metadata);
    let cluster = made.cluster_roles.iter().map(|role| &role.metadata);
    let account = made.service_account.iter().map(|account| &account.metadata);
    for metadata in roles.chain(cluster).chain(account) {
        assert!(is_dns_subdomain(metadata.name.as_deref().unwrap()));
        for value in metadata.labels.as_ref().unwrap().values() {
            assert!(names::is_label_value(value), "{value}");
        }
    }
    let pack = &scene.plan.skills[0].pack;
    for name in [
        names::skill_config_map(pack, true, 2),
        names::memory_config_map(scene.plan.instance.name.as_str()),
        names::ca_config_map(scene.plan.instance.name.as_str()),
        names::instance_service_account(&scene.plan.instance.name),
    ] {
        assert!(is_dns_subdomain(&name), "{name}");
    }
}

/// Kind, namespace and name of everything that a run has.
fn identities(scene: &Scene) -> BTreeSet<(String, String, String)> {
    let made = scene.built();
    let mut all: Vec<Value> = vec![serde_json::to_value(&made.job).unwrap()];
    all.extend(
        made.service_account
            .iter()
            .map(|one| serde_json::to_value(one).unwrap()),
    );
    all.extend(made.roles.iter().map(|one| serde_json::to_value(one).unwrap()));
    all.extend(
        made.role_bindings
            .iter()
            .map(|one| serde_json::to_value(one).unwrap()),
    );
    all.extend(
        made.cluster_roles
            .iter()
            .map(|one| serde_json::to_value(one).unwrap()),
    );
    all.extend(
        made.cluster_role_bindings
            .iter()
            .map(|one| serde_json::to_value(one).unwrap()),
    );
    let count = all.len();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let set: BTreeSet<_> = all
        .iter()
        .map(|one| {
            let metadata = &one["metadata"];
            (
                text(&one["kind"]),
                text(&metadata["namespace"]),
                text(&metadata["name"]),
            )
        })
        .collect();
    assert_eq!(set.len(), count, "two objects of one run share a name");
    set
}

#[test]
fn runs_of_one_name_in_two_namespaces_share_no_object() {
    let mut one = scene();
    one.plan.skills = vec![k8s_ops()];
    // Both reach into the same third namespace and into the cluster.
    one.instance.target_namespaces = vec![namespace("shop")];
    let first = identities(&one);
    one.plan.run.namespace = namespace("other");
    one.plan.run.uid = "1b7e6f0a-8f4e-4c57-9a52-5b1f0c9d1a11".parse().unwrap();
    assert!(first.is_disjoint(&identities(&one)));
}

#[test]
fn a_built_in_pack_and_an_own_one_never_share_a_config_map() {
    let names: BTreeSet<_> = ["ops", "system", "system-ops"]
        .into_iter()
        .flat_map(|name| {
            let pack = crate::scene::pack(name);
            [true, false].map(|builtin| names::skill_config_map(&pack, builtin, 0))
        })
        .collect();
    assert_eq!(names.len(), 6);
}

#[test]
fn label_values_are_those_of_kubernetes() {
    for (text, fine) in [
        ("", true),
        ("a", true),
        ("A.b_c-9", true),
        ("-a", false),
        ("a.", false),
        ("a b", false),
        ("ä", false),
    ] {
        assert_eq!(names::is_label_value(text), fine, "{text:?}");
    }
    assert!(names::is_label_value(&"a".repeat(63)) && !names::is_label_value(&"a".repeat(64)));
}
