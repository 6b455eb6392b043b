//! What packs may do at the API server, and what is refused.

use crate::scene::{Scene, host_port, k8s_ops, namespace, rule, scene, skill_with};
use sympozium_core::skill::RbacRule;
use sympozium_k8s::objects::names;
use sympozium_k8s::objects::rbac::{DropReason, Place, refusal};

#[test]
fn what_holds_depends_on_the_place() {
    use DropReason::{
        ConfigMaps, EntersPods, GivesRights, Identities, Installation, MakesPods, NetworkPolicies, OwnKinds,
        Roles, Secrets, UnknownKind, Wildcard,
    };
    const RBAC: &str = "rbac.authorization.k8s.io";
    // group, resource, verb: elsewhere, in the run's namespace, in the installation's, in the whole cluster
    let rows: [(&str, &str, &str, [Option<DropReason>; 4]); 40] = [
        ("", "pods", "get", [None; 4]),
        ("", "pods/log", "get", [None; 4]),
        ("", "configmaps", "list", [None; 4]),
        ("example.org", "widgets", "watch", [None; 4]),
        ("*", "pods", "get", [Some(Wildcard); 4]),
        ("", "*", "get", [Some(Wildcard); 4]),
        ("", "pods", "*", [Some(Wildcard); 4]),
        ("", "*/scale", "get", [Some(Wildcard); 4]),
        (RBAC, "clusterroles", "escalate", [Some(GivesRights); 4]),
        (RBAC, "roles", "bind", [Some(GivesRights); 4]),
        ("", "users", "impersonate", [Some(GivesRights); 4]),
        ("", "secrets", "get", [Some(Secrets); 4]),
        ("", "secrets", "create", [Some(Secrets); 4]),
        (
            "",
            "pods/exec",
            "create",
            [None, Some(EntersPods), Some(EntersPods), Some(EntersPods)],
        ),
        (
            "",
            "pods/exec",
            "get",
            [None, Some(EntersPods), Some(EntersPods), Some(EntersPods)],
        ),
        (
            "",
            "pods/attach",
            "get",
            [None, Some(EntersPods), Some(EntersPods), Some(EntersPods)],
        ),
        (
            "",
            "pods/portforward",
            "get",
            [None, Some(EntersPods), Some(EntersPods), Some(EntersPods)],
        ),
        (
            "",
            "pods/ephemeralcontainers",
            "patch",
            [None, Some(EntersPods), Some(EntersPods), Some(EntersPods)],
        ),
        (
            "",
            "services/proxy",
            "get",
            [None, Some(EntersPods), Some(EntersPods), Some(EntersPods)],
        ),
        (
            "",
            "nodes/proxy",
            "get",
            [None, Some(EntersPods), Some(EntersPods), Some(EntersPods)],
        ),
        (
            "",
            "pods",
            "create",
            [None, Some(MakesPods), Some(MakesPods), Some(MakesPods)],
        ),
        (
            "",
            "pods/eviction",
            "create",
            [None, Some(MakesPods), Some(MakesPods), Some(MakesPods)],
        ),
        (
            "apps",
            "deployments",
            "patch",
            [None, Some(MakesPods), Some(MakesPods), Some(MakesPods)],
        ),
        (
            "apps",
            "statefulsets/scale",
            "update",
            [None, Some(MakesPods), Some(MakesPods), Some(MakesPods)],
        ),
        (
            "batch",
            "cronjobs",
            "create",
            [None, Some(MakesPods), Some(MakesPods), Some(MakesPods)],
        ),
        (
            "",
            "serviceaccounts",
            "get",
            [None, Some(Identities), Some(Identities), Some(Identities)],
        ),
        (
            "",
            "serviceaccounts/token",
            "create",
            [None, Some(Identities), Some(Identities), Some(Identities)],
        ),
        (
            RBAC,
            "roles",
            "get",
            [None, Some(Roles), Some(Roles), Some(Roles)],
        ),
        (
            RBAC,
            "rolebindings",
            "create",
            [None, Some(Roles), Some(Roles), Some(Roles)],
        ),
        (
            RBAC,
            "clusterrolebindings",
            "create",
            [None, Some(UnknownKind), Some(Installation), Some(UnknownKind)],
        ),
        (
            "networking.k8s.io",
            "networkpolicies",
            "get",
            [
                None,
                Some(NetworkPolicies),
                Some(NetworkPolicies),
                Some(NetworkPolicies),
            ],
        ),
        (
            "cilium.io",
            "ciliumnetworkpolicies",
            "create",
            [
                None,
                Some(NetworkPolicies),
                Some(NetworkPolicies),
                Some(NetworkPolicies),
            ],
        ),
        (
            "sympozium.ai",
            "agentruns",
            "get",
            [None, Some(OwnKinds), Some(OwnKinds), Some(OwnKinds)],
        ),
        (
            "",
            "configmaps",
            "patch",
            [None, Some(ConfigMaps), Some(ConfigMaps), Some(ConfigMaps)],
        ),
        (
            "",
            "services",
            "create",
            [None, None, Some(Installation), Some(Installation)],
        ),
        (
            "networking.k8s.io",
            "ingresses",
            "delete",
            [None, None, Some(Installation), Some(Installation)],
        ),
        (
            "argoproj.io",
            "workflows",
            "create",
            [None, Some(UnknownKind), Some(Installation), Some(UnknownKind)],
        ),
        (
            "",
            "nodes",
            "patch",
            [None, Some(UnknownKind), Some(Installation), None],
        ),
        (
            "",
            "namespaces",
            "patch",
            [None, Some(UnknownKind), Some(Installation), Some(UnknownKind)],
        ),
        (
            "",
            "pods",
            "frobnicate",
            [None, Some(MakesPods), Some(MakesPods), Some(MakesPods)],
        ),
    ];
    let places = [Place::Elsewhere, Place::Own, Place::Installation, Place::Cluster];
    for (group, resource, verb, expected) in rows {
        let found = places.map(|place| refusal(place, group, resource, verb));
        assert_eq!(found, expected, "{verb} {resource} of {group:?}");
    }
}

/// Each reason is given by some row above, and says a phrase of its own.
#[test]
fn reasons_are_told_apart() {
    let mut phrases: Vec<_> = DropReason::ALL.map(DropReason::as_str).to_vec();
    phrases.sort_unstable();
    phrases.dedup();
    assert_eq!(phrases.len(), DropReason::ALL.len());
}

fn with_rules(rbac: Vec<RbacRule>, cluster: Vec<RbacRule>, targets: &[&str]) -> Scene {
    let mut scene = scene();
    scene.plan.skills = vec![skill_with("ops", |sidecar| {
        sidecar.rbac = rbac;
        sidecar.cluster_rbac = cluster;
    })];
    scene.instance.target_namespaces = targets.iter().map(|name| namespace(name)).collect();
    scene
}

#[test]
fn a_rule_keeps_what_it_may_have_and_the_rest_is_named() {
    let verbs = ["get", "list", "create"];
    let scene = with_rules(
        vec![rule(&[""], &["pods", "secrets", "services"], &verbs)],
        vec![],
        &[],
    );
    let made = scene.built();
    let grants = serde_json::to_value(&made.grants).unwrap();
    let expected = serde_json::json!([{
        "skill": "ops",
        "namespace": "team",
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "create"]},
        ],
    }]);
    assert_eq!(grants, expected);
    let dropped: Vec<_> = made.dropped.iter().map(ToString::to_string).collect();
    assert_eq!(
        dropped,
        [
            "ops may not get, list, create secrets in team: skills can't read or write Secrets",
            "ops may not create pods in team: skills can't write pods, or what makes pods, where their run is",
        ]
    );
}

#[test]
fn rules_hold_in_the_targets_alone_once_each() {
    let rules = vec![rule(&["apps"], &["deployments"], &["patch"])];
    let made = with_rules(rules, vec![], &["shop", "team", "shop", "sympozium-system"]).built();
    let names: Vec<_> = made
        .roles
        .iter()
        .map(|role| role.metadata.namespace.clone().unwrap())
        .collect();
    assert_eq!(names, ["shop"]);
    let refused: Vec<_> = made
        .dropped
        .iter()
        .map(|one| one.namespace.clone().unwrap().to_string())
        .collect();
    assert_eq!(refused, ["sympozium-system", "team"]);
}

#[test]
fn a_pack_of_which_nothing_holds_gets_no_identity_and_no_token() {
    let scene = with_rules(vec![rule(&[""], &["secrets"], &["get"])], vec![], &["shop"]);
    let made = scene.built();
    assert!(made.grants.is_empty() && made.roles.is_empty() && made.role_bindings.is_empty());
    assert_eq!(made.service_account, None);
    assert_eq!(made.dropped.len(), 1);
    let pod = scene.pod();
    assert_eq!(pod["spec"]["serviceAccountName"], "sympozium-run-instance-helper");
    let text = pod.to_string();
    assert!(!text.contains("api-token") && !text.contains("sympozium-egress/"));
}

#[test]
fn a_pack_with_hosts_alone_goes_through_the_proxy_as_the_instance() {
    let mut scene = scene();
    scene.plan.skills = vec![skill_with("web", |sidecar| {
        sidecar.egress = vec![host_port("api.example.org", 443)];
    })];
    assert_eq!(scene.built().service_account, None);
    let text = scene.pod().to_string();
    assert!(text.contains("sympozium-egress/web") && !text.contains("api-token"));
}

#[test]
fn objects_of_the_run_are_owned_and_all_others_are_found_by_its_uid() {
    let mut scene = scene();
    scene.plan.skills = vec![k8s_ops()];
    scene.instance.target_namespaces = vec![namespace("shop"), namespace("team")];
    let made = scene.built();
    let uid = scene.plan.run.uid.to_string();
    let roles = made.roles.iter().map(|role| &role.metadata);
    let bindings = made.role_bindings.iter().map(|binding| &binding.metadata);
    let cluster = made.cluster_roles.iter().map(|role| &role.metadata);
    let cluster_bindings = made.cluster_role_bindings.iter().map(|binding| &binding.metadata);
    let account = made.service_account.iter().map(|account| &account.metadata);
    let all = account
        .chain(roles)
        .chain(bindings)
        .chain(cluster)
        .chain(cluster_bindings);
    let mut seen = 0;
    for metadata in all.chain([&made.job.metadata]) {
        seen += 1;
        let labels = metadata.labels.as_ref().unwrap();
        assert_eq!(labels[names::RUN_UID], uid);
        let own = metadata.namespace.as_deref() == Some("team");
        let owners = metadata.owner_references.clone().unwrap_or_default();
        assert_eq!(owners.len(), usize::from(own));
        assert!(
            owners
                .iter()
                .all(|owner| owner.uid == uid && owner.kind == "AgentRun")
        );
        assert_eq!(labels.contains_key(names::RUN_NAMESPACE), !own);
    }
    // ServiceAccount, two roles, two bindings, a cluster role with its binding, the Job.
    assert_eq!(seen, 8);
    for binding in &made.role_bindings {
        let subject = &binding.subjects.as_ref().unwrap()[0];
        assert_eq!(subject.name, format!("sympozium-run-{uid}"));
        assert_eq!(subject.namespace.as_deref(), Some("team"));
    }
}
