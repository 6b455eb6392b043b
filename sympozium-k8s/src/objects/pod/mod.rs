//! The pod of a run.
//!
//! ```text
//! ipc-bridge      /ipc whole; its postStart installs the toolbox       token: bus
//! skill-<pack>    its own requests, answers, /workspace, /skills        token: egress; API server with rights
//! sandbox         as a skill                                            none
//! agent           its own folders of /ipc, /workspace, /skills, /memory token: gateway
//! ```
//!
//! The first three are native sidecars: they start in this order before the agent, and end after it in the reverse one.

mod agent;
mod agent_environment;
mod arguments;
mod bridge;
mod environment;
mod executor;
mod limits;
mod mounts;
mod overlay;
mod security;
mod shape;
mod tokens;
mod volumes;

pub(super) use limits::{JOB_NET, MAX_JOB};

use self::shape::Shape;
use super::rbac::Grants;
use super::{BuildError, RunSurroundings, names};
use k8s_openapi::api::core::v1::{HostAlias, PodDNSConfig, PodDNSConfigOption, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use sympozium_core::run::RunPlan;
use sympozium_core::run::pod_contract::AGENT_CONTAINER;

/// Makes the pod. `grants` says which packs have rights.
pub(super) fn pod_template(
    plan: &RunPlan,
    surroundings: &RunSurroundings<'_>,
    grants: &Grants,
) -> Result<PodTemplateSpec, BuildError> {
    let shape = Shape::of(plan, surroundings, grants)?;
    let mut metadata = ObjectMeta {
        labels: Some(names::run_labels(plan)),
        annotations: Some(names::labels([(
            "kubectl.kubernetes.io/default-container",
            AGENT_CONTAINER,
        )])),
        ..ObjectMeta::default()
    };
    describe(plan, &mut metadata);
    let mut spec = spec(&shape)?;
    overlay::apply(&surroundings.instance.pod_template, &mut metadata, &mut spec)?;
    Ok(PodTemplateSpec {
        metadata: Some(metadata),
        spec: Some(spec),
    })
}

/// What the run's author says of it. An `agentId` may be any text, so that it is not always a label.
pub(super) fn describe(plan: &RunPlan, metadata: &mut ObjectMeta) {
    let labels = metadata.labels.get_or_insert_default();
    if let Some(parent) = &plan.parent {
        labels.insert(names::PARENT_RUN.to_owned(), parent.run.to_string());
    }
    if let Some(agent_id) = &plan.agent_id {
        let place = if names::is_label_value(agent_id) {
            labels
        } else {
            metadata.annotations.get_or_insert_default()
        };
        place.insert(names::AGENT_ID.to_owned(), agent_id.clone());
    }
}

fn spec(shape: &Shape<'_>) -> Result<PodSpec, BuildError> {
    let mut sidecars = vec![bridge::container(shape)];
    for one in &shape.executors {
        sidecars.push(executor::container(shape, one)?);
    }
    Ok(PodSpec {
        init_containers: Some(sidecars),
        containers: vec![agent::container(shape)?],
        volumes: Some(volumes::volumes(shape)),
        service_account_name: Some(shape.service_account.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        restart_policy: Some("Never".to_owned()),
        active_deadline_seconds: Some(shape.deadline_seconds),
        termination_grace_period_seconds: Some(shape.grace_seconds),
        security_context: Some(security::pod()),
        share_process_namespace: Some(false),
        dns_policy: Some("None".to_owned()),
        dns_config: Some(no_dns()),
        host_aliases: Some(host_aliases(shape)),
        ..PodSpec::default()
    })
}

/// Nobody answers there. One server must be named; without the options a name that is not known would cost 5 s.
fn no_dns() -> PodDNSConfig {
    let option = |name: &str| PodDNSConfigOption {
        name: Some(name.to_owned()),
        value: Some("1".to_owned()),
    };
    PodDNSConfig {
        nameservers: Some(vec!["127.0.0.1".to_owned()]),
        options: Some(vec![option("timeout"), option("attempts")]),
        searches: None,
    }
}

/// Gateway and bus by name. One entry per address: two with the same would be refused.
fn host_aliases(shape: &Shape<'_>) -> Vec<HostAlias> {
    let installation = shape.surroundings.installation;
    let mut by_address: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for endpoint in [&installation.gateway, &installation.bus] {
        let names = by_address.entry(endpoint.ip.to_string()).or_default();
        if !names.contains(&endpoint.host) {
            names.push(endpoint.host.clone());
        }
    }
    by_address
        .into_iter()
        .map(|(ip, names)| HostAlias {
            ip,
            hostnames: Some(names),
        })
        .collect()
}
