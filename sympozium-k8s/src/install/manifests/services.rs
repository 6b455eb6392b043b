//! Services of what is in the cluster.

use super::metadata;
use crate::install::InstallOptions;
use crate::install::names::{self, GATEWAY, NATS, NATS_PORT, POSTGRES, POSTGRES_PORT};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A named TCP port of a Service, that leads to the pods' port of the same number.
pub(super) fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(number),
        target_port: Some(IntOrString::Int(i32::from(number))),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}

fn service(options: &InstallOptions, part: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        metadata: metadata(options, part, part),
        spec: Some(ServiceSpec {
            selector: Some(names::selector(part)),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// The gateway's.
pub(super) fn gateway(options: &InstallOptions) -> Service {
    service(options, GATEWAY, vec![port("https", names::GATEWAY_PORT)])
}

/// The bundled event bus's.
pub(super) fn nats(options: &InstallOptions) -> Service {
    service(options, NATS, vec![port("nats", NATS_PORT)])
}

/// The one that a StatefulSet needs for its pods' names.
pub(super) fn nats_headless(options: &InstallOptions) -> Service {
    let mut service = nats(options);
    service.metadata.name = Some(headless(NATS));
    if let Some(spec) = &mut service.spec {
        spec.cluster_ip = Some("None".to_owned());
    }
    service
}

/// The name of the Service without an address of its own.
pub(super) fn headless(part: &str) -> String {
    format!("{part}-pods")
}

/// The bundled database's.
pub(super) fn postgres(options: &InstallOptions) -> Service {
    service(options, POSTGRES, vec![port("postgres", POSTGRES_PORT)])
}
