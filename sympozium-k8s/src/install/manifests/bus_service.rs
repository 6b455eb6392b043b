//! The event bus's Service. Run pods reach the bus by its address alone, so that a bus outside gets a Service as well.

use super::{metadata, services};
use crate::install::InstallOptions;
use crate::install::names::{NATS, NATS_PORT};
use crate::install::options::{EventBus, ExternalBus};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The Service.
pub(super) fn service(options: &InstallOptions) -> Service {
    match &options.event_bus {
        EventBus::Bundled => services::nats(options),
        EventBus::External(bus) => Service {
            metadata: metadata(options, NATS, NATS),
            // Without a selector: the endpoints below are its own.
            spec: Some(ServiceSpec {
                ports: Some(vec![ServicePort {
                    target_port: Some(IntOrString::Int(i32::from(bus.port))),
                    ..services::port("nats", NATS_PORT)
                }]),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        },
    }
}

/// Where a Service without selector leads.
pub(super) fn endpoints(options: &InstallOptions, bus: &ExternalBus) -> EndpointSlice {
    let mut metadata = metadata(options, &format!("{NATS}-external"), NATS);
    let labels = metadata.labels.get_or_insert_default();
    labels.insert("kubernetes.io/service-name".to_owned(), NATS.to_owned());
    let v4 = bus.addresses.iter().all(std::net::IpAddr::is_ipv4);
    EndpointSlice {
        metadata,
        address_type: if v4 { "IPv4" } else { "IPv6" }.to_owned(),
        endpoints: bus
            .addresses
            .iter()
            .map(|address| Endpoint {
                addresses: vec![address.to_string()],
                conditions: Some(EndpointConditions {
                    ready: Some(true),
                    ..EndpointConditions::default()
                }),
                ..Endpoint::default()
            })
            .collect(),
        ports: Some(vec![EndpointPort {
            name: Some("nats".to_owned()),
            port: Some(i32::from(bus.port)),
            protocol: Some("TCP".to_owned()),
            ..EndpointPort::default()
        }]),
    }
}
