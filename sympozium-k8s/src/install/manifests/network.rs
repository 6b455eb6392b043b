//! Who may talk to the bundled event bus and database.

use super::metadata;
use crate::install::InstallOptions;
use crate::install::names::{self, GATEWAY, NATS, NATS_PORT, OPERATOR, POSTGRES, POSTGRES_PORT};
use crate::objects::names::{COMPONENT, Component};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

fn select(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels),
        match_expressions: None,
    }
}

/// Pods of a part of this namespace.
fn part(part: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(select(names::selector(part))),
        ..NetworkPolicyPeer::default()
    }
}

fn policy(options: &InstallOptions, of: &str, port: u16, from: Vec<NetworkPolicyPeer>) -> NetworkPolicy {
    NetworkPolicy {
        metadata: metadata(options, of, of),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(select(names::selector(of))),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(from),
                ports: Some(vec![NetworkPolicyPort {
                    port: Some(IntOrString::Int(i32::from(port))),
                    protocol: Some("TCP".to_owned()),
                    end_port: None,
                }]),
            }]),
            // It begins no connections.
            egress: None,
        }),
    }
}

/// The bus: gateway, operator, and run pods of every namespace.
pub(super) fn nats(options: &InstallOptions) -> NetworkPolicy {
    let runs = BTreeMap::from([(COMPONENT.to_owned(), Component::AgentRun.as_str().to_owned())]);
    let runs = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        pod_selector: Some(select(runs)),
        ip_block: None,
    };
    policy(
        options,
        NATS,
        NATS_PORT,
        vec![part(GATEWAY), part(OPERATOR), runs],
    )
}

/// The database: gateway and operator.
pub(super) fn postgres(options: &InstallOptions) -> NetworkPolicy {
    policy(
        options,
        POSTGRES,
        POSTGRES_PORT,
        vec![part(GATEWAY), part(OPERATOR)],
    )
}
