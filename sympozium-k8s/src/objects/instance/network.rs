//! What run pods can reach: gateway and bus, and nothing else.

use super::Keeper;
use crate::objects::names::{self, Component};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use sympozium_core::ids::Namespace;

/// Pods of the installation, and the port on which they listen: their own, not that of their Service, because policies
/// are applied to packets that have been readdressed already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodPeer {
    /// Their namespace.
    pub namespace: Namespace,
    /// Labels that they have. Without any there is no rule: it would be about every pod of the namespace.
    pub labels: BTreeMap<String, String>,
    /// Their port.
    pub port: u16,
}

/// The event bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusPeer {
    /// In the cluster.
    Pods(PodPeer),
    /// Elsewhere: the addresses to which its Service leads, as they are now.
    Addresses {
        /// The addresses.
        addresses: BTreeSet<IpAddr>,
        /// The port.
        port: u16,
    },
}

/// What run pods may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPeers {
    /// The gateway.
    pub gateway: PodPeer,
    /// The bus.
    pub bus: BusPeer,
}

/// The policy that an instance keeps for **all** run pods of its namespace, not only its own: without any policy a pod
/// reaches everything, so that the last run of an instance that is deleted is still covered by those of the others. Pods
/// that are not of runs are left alone.
pub fn network_policy(keeper: &Keeper, peers: &NetworkPeers) -> NetworkPolicy {
    let selector = names::labels([(names::COMPONENT, Component::AgentRun.as_str())]);
    let bus = match &peers.bus {
        BusPeer::Pods(pods) => to_pods(pods),
        BusPeer::Addresses { addresses, port } => to_addresses(addresses, *port),
    };
    let egress = to_pods(&peers.gateway).into_iter().chain(bus).collect();
    NetworkPolicy {
        metadata: keeper.metadata(names::network_policy(keeper.name()), Component::Instance),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(selector),
                match_expressions: None,
            }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: None,
            egress: Some(egress),
        }),
    }
}

fn tcp(port: u16) -> Vec<NetworkPolicyPort> {
    vec![NetworkPolicyPort {
        port: Some(IntOrString::Int(i32::from(port))),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    }]
}

fn to_pods(pods: &PodPeer) -> Option<NetworkPolicyEgressRule> {
    if pods.labels.is_empty() {
        return None;
    }
    let select = |labels: BTreeMap<String, String>| LabelSelector {
        match_labels: Some(labels),
        match_expressions: None,
    };
    // The API server puts this label on every namespace.
    let namespace = names::labels([("kubernetes.io/metadata.name", pods.namespace.as_str())]);
    Some(NetworkPolicyEgressRule {
        to: Some(vec![NetworkPolicyPeer {
            namespace_selector: Some(select(namespace)),
            pod_selector: Some(select(pods.labels.clone())),
            ip_block: None,
        }]),
        ports: Some(tcp(pods.port)),
    })
}

/// A rule without addresses would allow all of them.
fn to_addresses(addresses: &BTreeSet<IpAddr>, port: u16) -> Option<NetworkPolicyEgressRule> {
    if addresses.is_empty() {
        return None;
    }
    let peer = |address: &IpAddr| NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: match address {
                IpAddr::V4(address) => format!("{address}/32"),
                IpAddr::V6(address) => format!("{address}/128"),
            },
            except: None,
        }),
        ..NetworkPolicyPeer::default()
    };
    Some(NetworkPolicyEgressRule {
        to: Some(addresses.iter().map(peer).collect()),
        ports: Some(tcp(port)),
    })
}
