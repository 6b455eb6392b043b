//! What an instance keeps for its runs.

use crate::scene::{namespace, scene};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use sympozium_core::ids::{InstanceName, InstanceRef};
use sympozium_k8s::crd::v1alpha1::{AgentRun, SympoziumInstance};
use sympozium_k8s::objects::InstanceFacts;
use sympozium_k8s::objects::instance::{
    BusPeer, Keeper, NetworkPeers, PodPeer, ca_config_map, gateway_role, memory_config_map, network_policy,
    service_account,
};

fn keeper() -> Keeper {
    Keeper {
        instance: InstanceRef {
            namespace: namespace("team"),
            name: InstanceName::new("helper").unwrap(),
        },
        uid: "5d0c2c5e-3b0e-4f5a-8d6b-0a3b6f3f2d22".to_owned(),
    }
}

fn pods(name: &str, port: u16) -> PodPeer {
    PodPeer {
        namespace: namespace("sympozium-system"),
        labels: BTreeMap::from([("app.kubernetes.io/name".to_owned(), name.to_owned())]),
        port,
    }
}

fn peers() -> NetworkPeers {
    NetworkPeers {
        gateway: pods("sympozium-gateway", 9443),
        bus: BusPeer::Pods(pods("nats", 4222)),
    }
}

#[test]
fn an_instance_keeps_these_objects() {
    let keeper = keeper();
    let system = namespace("sympozium-system");
    let secrets = BTreeSet::from(["openai".to_owned(), "anthropic".to_owned()]);
    let role = gateway_role(&keeper, &secrets, (&system, "sympozium-gateway")).unwrap();
    insta::assert_yaml_snapshot!(json!({
        "networkPolicy": network_policy(&keeper, &peers()),
        "serviceAccount": service_account(&keeper),
        "memory": memory_config_map(&keeper, "# Memory\n"),
        "certificates": ca_config_map(&keeper, "OURS\n", "CLUSTER"),
        "gatewayRole": role.role,
        "gatewayRoleBinding": role.binding,
    }));
}

#[test]
fn run_pods_are_the_ones_that_the_policy_selects() {
    let policy = serde_json::to_value(network_policy(&keeper(), &peers())).unwrap();
    let selected = policy["spec"]["podSelector"]["matchLabels"].as_object().unwrap();
    let labels = scene().pod()["metadata"]["labels"].clone();
    assert!(!selected.is_empty());
    assert!(selected.iter().all(|(name, value)| labels[name] == *value));
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["spec"]["ingress"], Value::Null);
}

#[test]
fn a_bus_elsewhere_is_reached_by_its_addresses() {
    let bus = |addresses: &[&str]| BusPeer::Addresses {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        port: 4222,
    };
    let egress = |peers: &NetworkPeers| {
        let policy = serde_json::to_value(network_policy(&keeper(), peers)).unwrap();
        policy["spec"]["egress"].as_array().unwrap().clone()
    };
    let mut peers = peers();
    peers.bus = bus(&["203.0.113.7", "2001:db8::7"]);
    let rules = egress(&peers);
    assert_eq!(
        rules[1],
        json!({
            "to": [{"ipBlock": {"cidr": "203.0.113.7/32"}}, {"ipBlock": {"cidr": "2001:db8::7/128"}}],
            "ports": [{"port": 4222, "protocol": "TCP"}],
        })
    );
    // Nothing known is nothing allowed; a rule without targets would allow all.
    peers.bus = bus(&[]);
    assert_eq!(egress(&peers).len(), 1);
    peers.gateway.labels.clear();
    assert_eq!(egress(&peers).len(), 0);
}

#[test]
fn without_secrets_the_gateway_has_no_role() {
    let system = namespace("sympozium-system");
    assert_eq!(gateway_role(&keeper(), &BTreeSet::new(), (&system, "g")), None);
}

#[test]
fn facts_are_read_from_the_instance_and_the_runs_skills() {
    let instance: SympoziumInstance = serde_json::from_value(json!({
        "apiVersion": "sympozium.ai/v1alpha1",
        "kind": "SympoziumInstance",
        "metadata": {"name": "helper"},
        "spec": {
            "agents": {"default": {"model": "m"}},
            "targetNamespaces": ["shop"],
            "skills": [{"configMapRef": "handbook"}, {"skillPackRef": "k8s-ops"}],
            "podTemplate": {"priorityClassName": "low"},
        },
    }))
    .unwrap();
    let run = |skills: Value| -> AgentRun {
        let mut run = json!({
            "apiVersion": "sympozium.ai/v1alpha1",
            "kind": "AgentRun",
            "metadata": {"name": "hello"},
            "spec": {"instanceRef": "helper", "task": "Say hello."},
        });
        if !skills.is_null() {
            run["spec"]["skills"] = skills;
        }
        serde_json::from_value(run).unwrap()
    };
    let facts = InstanceFacts::of(&instance, &run(Value::Null)).unwrap();
    assert_eq!(facts.target_namespaces, [namespace("shop")]);
    assert_eq!(facts.ca_config_map, "sympozium-ca-helper");
    assert_eq!(facts.pod_template.priority_class_name.as_deref(), Some("low"));
    assert_eq!(
        facts.config_map_skills,
        BTreeSet::from([crate::scene::pack("handbook")])
    );
    let facts = InstanceFacts::of(&instance, &run(json!([]))).unwrap();
    assert!(facts.config_map_skills.is_empty());
}
