//! What the parts and the built-in packs may do, and what they may not.

use crate::scene::{bundled, external, kind, list, objects};
use serde_json::Value;
use sympozium_k8s::install::packs;

fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().map(|one| one.as_str().unwrap()).collect()
}

/// Name of the role, group, resource, verb, names.
fn rights(objects: &[Value]) -> Vec<(String, String, String, String, usize)> {
    let roles = kind(objects, "ClusterRole")
        .into_iter()
        .chain(kind(objects, "Role"));
    let mut all = Vec::new();
    for role in roles {
        let name = format!(
            "{} {}",
            role["kind"].as_str().unwrap(),
            role["metadata"]["name"].as_str().unwrap()
        );
        for rule in list(&role["rules"]) {
            assert!(rule["nonResourceURLs"].is_null(), "{name}");
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        let names = list(&rule["resourceNames"]).len();
                        all.push((
                            name.clone(),
                            group.to_owned(),
                            resource.to_owned(),
                            verb.to_owned(),
                            names,
                        ));
                    }
                }
            }
        }
    }
    all
}

#[test]
fn no_part_may_do_everything_or_see_secrets_or_enter_pods() {
    let all = rights(&objects(&bundled()));
    assert!(all.len() > 50);
    for right in &all {
        let (_, group, resource, verb, _) = right;
        assert!(
            [group, resource, verb].iter().all(|text| !text.contains('*')),
            "{right:?}"
        );
        assert_ne!(resource, "secrets", "{right:?}");
        let entering = [
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "pods/proxy",
            "nodes/proxy",
            "pods/ephemeralcontainers",
        ];
        assert!(!entering.contains(&resource.as_str()), "{right:?}");
        assert!(
            !(resource == "pods" && matches!(verb.as_str(), "create" | "patch" | "update")),
            "{right:?}"
        );
        assert_ne!(verb, "impersonate", "{right:?}");
        assert_ne!(group, "admissionregistration.k8s.io", "{right:?}");
        assert_ne!(resource, "serviceaccounts/token", "{right:?}");
    }
}

#[test]
fn only_the_operator_may_give_rights_and_the_gateway_only_asks_and_reads() {
    for (role, _, resource, verb, _) in rights(&objects(&bundled())) {
        if matches!(verb.as_str(), "escalate" | "bind") {
            assert_eq!(role, "ClusterRole sympozium-operator");
            assert!(matches!(resource.as_str(), "roles" | "clusterroles"));
        }
        if role == "ClusterRole sympozium-gateway" {
            let reads = matches!(verb.as_str(), "get" | "list" | "watch");
            assert!(
                reads || (resource == "tokenreviews" && verb == "create"),
                "{resource} {verb}"
            );
        }
    }
}

#[test]
fn roles_are_bound_to_the_parts_and_to_nobody_else() {
    for options in [bundled(), external()] {
        let all = objects(&options);
        let bindings = kind(&all, "ClusterRoleBinding")
            .into_iter()
            .chain(kind(&all, "RoleBinding"));
        for binding in bindings {
            let subjects = list(&binding["subjects"]);
            assert_eq!(subjects.len(), 1);
            assert_eq!(subjects[0]["kind"], "ServiceAccount");
            assert_eq!(subjects[0]["name"], binding["roleRef"]["name"]);
            assert_eq!(subjects[0]["namespace"], options.namespace);
        }
    }
}

#[test]
fn no_built_in_pack_sees_secrets_or_gets_more_than_it_was_given() {
    for pack in packs::all(&bundled()) {
        let name = pack.metadata.name.unwrap();
        let Some(sidecar) = pack.spec.sidecar else {
            assert_eq!(name, "code-review");
            continue;
        };
        assert!(sidecar.resources.unwrap().memory.is_some(), "{name}");
        for rule in sidecar.rbac.iter().chain(&sidecar.cluster_rbac) {
            let all = rule.api_groups.iter().chain(&rule.resources).chain(&rule.verbs);
            assert!(all.clone().all(|text| !text.contains('*')), "{name}: {rule:?}");
            for forbidden in [
                "secrets",
                "serviceaccounts",
                "roles",
                "rolebindings",
                "clusterroles",
                "clusterrolebindings",
                "pods/exec",
                "pods/portforward",
                "pods/attach",
                "escalate",
                "bind",
                "impersonate",
                "sympozium.ai",
            ] {
                assert!(all.clone().all(|text| text != forbidden), "{name}: {rule:?}");
            }
        }
        let reading = |verb: &String| matches!(verb.as_str(), "get" | "list" | "watch");
        assert!(
            sidecar
                .cluster_rbac
                .iter()
                .all(|rule| rule.verbs.iter().all(reading)),
            "{name}"
        );
        if name == "incident-response" {
            assert!(sidecar.rbac.iter().all(|rule| rule.verbs.iter().all(reading)));
            assert!(sidecar.cluster_rbac.is_empty());
        }
    }
}

#[test]
fn the_built_in_packs_are_built_in() {
    let all = objects(&external());
    let packs = kind(&all, "SkillPack");
    let names: Vec<_> = packs
        .iter()
        .map(|pack| pack["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["k8s-ops", "incident-response", "code-review"]);
    for pack in packs {
        assert_eq!(pack["metadata"]["labels"]["sympozium.ai/builtin"], "true");
        assert_eq!(list(&pack["spec"]["skills"]).len(), 3);
    }
    insta::assert_snapshot!(serde_saphyr::to_string(&rules(&all)).unwrap());
}

/// What the packs may do, without their texts.
fn rules(all: &[Value]) -> Vec<Value> {
    kind(all, "SkillPack")
        .iter()
        .map(|pack| serde_json::json!({"name": pack["metadata"]["name"], "sidecar": pack["spec"]["sidecar"]}))
        .collect()
}
