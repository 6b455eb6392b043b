//! Every object of an installation, in the order in which they are applied. Pure.
//!
//! | Question | Where |
//! | --- | --- |
//! | who may do what? | `identities`, `operator_rights`, `gateway_rights` |
//! | what can the operator not do though its rights would allow it? | `fence` |
//! | what do pods look like? | `pod`, `operator`, `gateway`, `nats`, `postgres` |
//! | who may talk to the bus and the database? | `network` |
//! | what comes as custom resources? | `resources` |

mod bus_service;
mod fence;
mod gateway;
mod gateway_rights;
mod identities;
mod namespace;
mod nats;
mod network;
mod operator;
mod operator_rights;
mod pod;
mod postgres;
mod resources;
mod scale;
mod services;
mod tokens;

pub(super) use gateway::SEEDS;
pub(super) use pod::{CA_FOLDER, TLS_FOLDER};
pub(super) use postgres::{NAME as DATABASE_NAME, OWNER};

use super::manifest::{Manifest, ManifestError, Tenure};
use super::names;
use super::options::{Database, EventBus, InstallOptions};
use crate::crd;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Every object of an installation but those with keys and certificates, which are made once and kept
/// ([`generated`](fn@super::generated)).
pub fn manifests(options: &InstallOptions) -> Result<Vec<Manifest>, ManifestError> {
    let mut all = vec![Manifest::new(&namespace::namespace(options))?.with(Tenure::Foundation)];
    for mut definition in crd::all() {
        definition.metadata.labels = Some(names::labels("sympozium-crds", &options.version));
        all.push(Manifest::new(&definition)?.with(Tenure::Foundation));
    }
    all.extend(fences(options)?);
    all.extend(rights(options)?);
    all.extend(network(options)?);
    all.extend(workloads(options)?);
    all.extend(resources::resources(options)?);
    Ok(all)
}

/// Before the rights that they fence.
fn fences(options: &InstallOptions) -> Result<Vec<Manifest>, ManifestError> {
    let mut fences = fence::fences(options);
    fences.push(tokens::tokens(options));
    fences
        .iter()
        .flat_map(|fence| [Manifest::new(&fence.policy), Manifest::new(&fence.binding)])
        .collect()
}

fn rights(options: &InstallOptions) -> Result<Vec<Manifest>, ManifestError> {
    let mut all = Vec::new();
    for part in identities::parts(options) {
        all.push(Manifest::new(&identities::service_account(options, part))?);
    }
    for role in [
        operator_rights::cluster_role(options),
        gateway_rights::cluster_role(options),
    ] {
        all.push(Manifest::new(&role)?);
    }
    for part in [names::OPERATOR, names::GATEWAY] {
        all.push(Manifest::new(&identities::cluster_role_binding(options, part))?);
    }
    all.push(Manifest::new(&operator_rights::role(options))?);
    all.push(Manifest::new(&identities::role_binding(
        options,
        names::OPERATOR,
    ))?);
    Ok(all)
}

fn network(options: &InstallOptions) -> Result<Vec<Manifest>, ManifestError> {
    let mut all = vec![
        Manifest::new(&services::gateway(options))?,
        Manifest::new(&bus_service::service(options))?,
    ];
    match &options.event_bus {
        EventBus::Bundled => {
            all.push(Manifest::new(&services::nats_headless(options))?);
            all.push(Manifest::new(&network::nats(options))?);
        }
        EventBus::External(bus) => all.push(Manifest::new(&bus_service::endpoints(options, bus))?),
    }
    if options.database == Database::Bundled {
        all.push(Manifest::new(&services::postgres(options))?);
        all.push(Manifest::new(&network::postgres(options))?);
    }
    Ok(all)
}

fn workloads(options: &InstallOptions) -> Result<Vec<Manifest>, ManifestError> {
    let mut all = Vec::new();
    if options.event_bus == EventBus::Bundled {
        all.push(Manifest::new(&nats::config(options))?);
        all.push(Manifest::new(&nats::stateful_set(options))?);
    }
    if options.database == Database::Bundled {
        all.push(Manifest::new(&postgres::stateful_set(options))?);
    }
    all.push(Manifest::new(&gateway::deployment(options))?);
    all.push(Manifest::new(&scale::gateway(options))?);
    all.push(Manifest::new(&operator::deployment(options))?);
    for part in [names::GATEWAY, names::OPERATOR] {
        all.push(Manifest::new(&scale::disruption_budget(options, part))?);
    }
    Ok(all)
}

/// Metadata of an object in the installation's namespace.
fn metadata(options: &InstallOptions, name: &str, part: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(options.namespace.clone()),
        ..cluster_metadata(options, name, part)
    }
}

/// Metadata of an object that is in no namespace.
fn cluster_metadata(options: &InstallOptions, name: &str, part: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(names::labels(part, &options.version)),
        ..ObjectMeta::default()
    }
}
