//! What packs may do at the API server, and what is refused.

use crate::scene::{Scene, host_port, k8s_ops, namespace, rule, scene, skill_with};
use DropReason::{
    ConfigMaps, EntersPods, GivesRights, Identities, Installation, MakesPods, NetworkPolicies, OwnKinds,
    Roles, Secrets, UnknownKind, Wildcard,
};
use sympozium_core::skill::RbacRule;
use sympozium_k8s::objects::names;
use sympozium_k8s::objects::rbac::{DropReason, Place, refusal};

const RBAC: &str = "rbac.authorization.k8s.io";
const NETWORKING: &str = "networking.k8s.io";

/// Group, resource and verb of what holds everywhere.
const FINE: [(&str, &str, &str); 4] = [
    ("", "pods", "get"),
    ("", "pods/log", "get"),
    ("", "configmaps", "list"),
    ("example.org", "widgets", "watch"),
];

/// What holds nowhere.
const NOWHERE: [(DropReason, &str, &str, &str); 9] = [
    (Wildcard, "*", "pods", "get"),
    (Wildcard, "", "*", "get"),
    (Wildcard, "", "pods", "*"),
    (Wildcard, "", "*/scale", "get"),
    (GivesRights, RBAC, "clusterroles", "escalate"),
    (GivesRights, RBAC, "roles", "bind"),
    (GivesRights, "", "users", "impersonate"),
    (Secrets, "", "secrets", "get"),
    (Secrets, "", "secrets", "create"),
];

/// What holds only where neither the run nor the installation is.
const NOT_NEAR: [(DropReason, &str, &str, &str); 21] = [
    (EntersPods, "", "pods/exec", "create"),
    (EntersPods, "", "pods/exec", "get"),
    (EntersPods, "", "pods/attach", "get"),
    (EntersPods, "", "pods/portforward", "get"),
    (EntersPods, "", "pods/ephemeralcontainers", "patch"),
    (EntersPods, "", "services/proxy", "get"),
    (EntersPods, "", "nodes/proxy", "get"),
    (MakesPods, "", "pods", "create"),
    (MakesPods, "", "pods", "frobnicate"),
    (MakesPods, "", "pods/eviction", "create"),
    (MakesPods, "apps", "deployments", "patch"),
    (MakesPods, "apps", "statefulsets/scale", "update"),
    (MakesPods, "batch", "cronjobs", "create"),
    (Identities, "", "serviceaccounts", "get"),
    (Identities, "", "serviceaccounts/token", "create"),
    (Roles, RBAC, "roles", "get"),
    (Roles, RBAC, "rolebindings", "create"),
    (NetworkPolicies, NETWORKING, "networkpolicies", "get"),
    (NetworkPolicies, "cilium.io", "ciliumnetworkpolicies", "create"),
    (OwnKinds, "sympozium.ai", "agentruns", "get"),
    (ConfigMaps, "", "configmaps", "patch"),
];

/// What depends on more: the answers in the run's namespace, in the installation's, and in the whole cluster.
const DEPENDS: [(&str, &str, &str, [Option<DropReason>; 3]); 6] = [
    (
        "",
        "services",
        "create",
        [None, Some(Installation), Some(Installation)],
    ),
    (
        NETWORKING,
        "ingresses",
        "delete",
        [None, Some(Installation), Some(Installation)],
    ),
    (
        RBAC,
        "clusterrolebindings",
        "create",
        [Some(UnknownKind), Some(Installation), Some(UnknownKind)],
    ),
    (
        "argoproj.io",
        "workflows",
        "create",
        [Some(UnknownKind), Some(Installation), Some(UnknownKind)],
    ),
    (
        "",
        "namespaces",
        "patch",
        [Some(UnknownKind), Some(Installation), Some(UnknownKind)],
    ),
    (
        "",
        "nodes",
        "patch",
        [Some(UnknownKind), Some(Installation), None],
    ),
];

fn check(group: &str, resource: &str, verb: &str, expected: [Option<DropReason>; 4]) {
    let places = [Place::Elsewhere, Place::Own, Place::Installation, Place::Cluster];
    let found = places.map(|place| refusal(place, group, resource, verb));
    assert_eq!(found, expected, "{verb} {resource} of {group:?}");
}

#[test]
fn what_holds_depends_on_the_place() {
    for (group, resource, verb) in FINE {
        check(group, resource, verb, [None; 4]);
    }
    for (reason, group, resource, verb) in NOWHERE {
        check(group, resource, verb, [Some(reason); 4]);
    }
    for (reason, group, resource, verb) in NOT_NEAR {
        let near = Some(reason);
        check(group, resource, verb, [None, near, near, near]);
    }
    for (group, resource, verb, [own, installation, cluster]) in DEPENDS {
        check(group, resource, verb, [None, own, installation, cluster]);
    }
}

/// Two reasons with one phrase would leave whoever reads the condition guessing.
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
