//! What the objects look like, and what holds for every one.

use crate::pod_security::violations;
use crate::scene::{bundled, external, kind, list, objects};
use serde_json::Value;
use std::collections::BTreeSet;
use sympozium_k8s::install::{Inventory, Tenure, manifests};

/// All but the definitions of our kinds and the packs, which have snapshots and tests of their own.
fn shown(objects: &[Value]) -> String {
    let plain =
        |object: &&Value| object["kind"] != "CustomResourceDefinition" && object["kind"] != "SkillPack";
    let documents: Vec<_> = objects
        .iter()
        .filter(plain)
        .map(|object| serde_saphyr::to_string(object).unwrap())
        .collect();
    documents.join("---\n")
}

#[test]
fn with_everything_bundled() {
    insta::assert_snapshot!(shown(&objects(&bundled())));
}

#[test]
fn with_bus_and_database_of_somebody_else() {
    insta::assert_snapshot!(shown(&objects(&external())));
}

#[test]
fn every_object_says_whose_it_is_and_of_which_version() {
    for options in [bundled(), external()] {
        for object in objects(&options) {
            let labels = &object["metadata"]["labels"];
            let name = &object["metadata"]["name"];
            assert_eq!(labels["app.kubernetes.io/managed-by"], "sympozium", "{name}");
            assert_eq!(labels["app.kubernetes.io/version"], "1.2.3", "{name}");
            assert!(labels["app.kubernetes.io/name"].is_string(), "{name}");
            let namespace = &object["metadata"]["namespace"];
            assert!(namespace.is_null() || *namespace == options.namespace, "{name}");
        }
    }
}

#[test]
fn no_two_objects_are_one() {
    for options in [bundled(), external()] {
        let all = manifests(&options).unwrap();
        let inventory = Inventory::of("1", &all);
        let names: BTreeSet<_> = inventory
            .objects
            .iter()
            .map(|entry| (&entry.api_version, &entry.kind, &entry.namespace, &entry.name))
            .collect();
        assert_eq!(names.len(), all.len());
        assert_eq!(inventory.objects.len(), all.len());
    }
}

#[test]
fn what_holds_data_stays_and_nothing_else() {
    let all = manifests(&bundled()).unwrap();
    for manifest in &all {
        let expected = match manifest.resource.kind.as_str() {
            "Namespace" | "CustomResourceDefinition" => Tenure::Foundation,
            "SympoziumPolicy" => Tenure::Once,
            _ => Tenure::Installed,
        };
        assert_eq!(manifest.tenure, expected, "{manifest}");
    }
}

#[test]
fn what_others_need_comes_before_them() {
    let kinds: Vec<_> = objects(&bundled())
        .iter()
        .map(|object| object["kind"].as_str().unwrap().to_owned())
        .collect();
    let first = |kind: &str| kinds.iter().position(|one| one == kind).unwrap();
    let last = |kind: &str| kinds.iter().rposition(|one| one == kind).unwrap();
    for (before, after) in [
        ("Namespace", "CustomResourceDefinition"),
        ("CustomResourceDefinition", "ValidatingAdmissionPolicy"),
        ("ValidatingAdmissionPolicyBinding", "ClusterRole"),
        ("ServiceAccount", "ClusterRoleBinding"),
        // Pods have the addresses of Services in their environment.
        ("Service", "Deployment"),
        ("NetworkPolicy", "StatefulSet"),
        ("RoleBinding", "Deployment"),
        ("Deployment", "SkillPack"),
    ] {
        assert!(last(before) < first(after), "{before} after {after}");
    }
}

/// Pod templates, with the name of what has them.
fn templates(objects: &[Value]) -> Vec<(String, Value)> {
    let of = |kind_of: &str| {
        kind(objects, kind_of)
            .into_iter()
            .map(|object| {
                (
                    object["metadata"]["name"].as_str().unwrap().to_owned(),
                    object["spec"]["template"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    of("Deployment").into_iter().chain(of("StatefulSet")).collect()
}

#[test]
fn every_pod_passes_pod_security_restricted_and_writes_to_volumes_alone() {
    for options in [bundled(), external()] {
        let templates = templates(&objects(&options));
        assert!(templates.len() >= 2);
        for (name, template) in templates {
            let spec = &template["spec"];
            assert_eq!(violations(spec), [""; 0], "{name}");
            for container in list(&spec["containers"]) {
                assert_eq!(
                    container["securityContext"]["readOnlyRootFilesystem"], true,
                    "{name}"
                );
                for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
                    assert!(container[probe].is_object(), "{name}: {probe}");
                }
                let resources = &container["resources"];
                assert!(resources["requests"]["cpu"].is_string(), "{name}");
                assert!(resources["limits"]["memory"].is_string(), "{name}");
            }
        }
    }
}

#[test]
fn only_who_talks_to_the_api_server_has_a_token_for_it() {
    let all = objects(&bundled());
    for account in kind(&all, "ServiceAccount") {
        assert_eq!(account["automountServiceAccountToken"], false);
    }
    for (name, template) in templates(&all) {
        let expected = name == "sympozium-operator" || name == "sympozium-gateway";
        assert_eq!(
            template["spec"]["automountServiceAccountToken"], expected,
            "{name}"
        );
    }
}

#[test]
fn every_selector_finds_the_pods_that_it_is_for() {
    let all = objects(&bundled());
    let templates = templates(&all);
    let mut found = 0;
    for object in &all {
        let selector = match object["kind"].as_str().unwrap() {
            "Service" => &object["spec"]["selector"],
            "Deployment" | "StatefulSet" | "PodDisruptionBudget" => {
                &object["spec"]["selector"]["matchLabels"]
            }
            "NetworkPolicy" => &object["spec"]["podSelector"]["matchLabels"],
            _ => continue,
        };
        let wanted = selector.as_object().unwrap();
        let matches = |(_, template): &&(String, Value)| {
            wanted
                .iter()
                .all(|(name, value)| template["metadata"]["labels"][name] == *value)
        };
        assert_eq!(
            templates.iter().filter(matches).count(),
            1,
            "{}",
            object["metadata"]["name"]
        );
        found += 1;
    }
    assert!(found >= 12, "{found}");
}

#[test]
fn a_number_that_the_autoscaler_keeps_is_not_said_elsewhere() {
    let all = objects(&bundled());
    let gateway = kind(&all, "Deployment")
        .into_iter()
        .find(|object| object["metadata"]["name"] == "sympozium-gateway")
        .unwrap();
    assert!(gateway["spec"]["replicas"].is_null());
    let scaler = kind(&all, "HorizontalPodAutoscaler")[0];
    assert_eq!(
        scaler["spec"]["scaleTargetRef"]["name"],
        gateway["metadata"]["name"]
    );
}

#[test]
fn the_server_that_is_asked_to_trust_the_callout_knows_no_seed() {
    let all = objects(&bundled());
    let nats = templates(&all)
        .into_iter()
        .find(|(name, _)| name == "sympozium-nats")
        .unwrap()
        .1;
    let text = nats.to_string();
    for seed in ["issuer", "xkey", "\"callout\"", "\"system\""] {
        assert!(!text.contains(seed), "{seed}");
    }
    assert!(text.contains("callout.conf"));
}
