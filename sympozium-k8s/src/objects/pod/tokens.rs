//! The pod's tokens: one volume per audience, each mounted in the containers that it is for.

use super::shape::Shape;
use super::volumes::{Vol, item};
use crate::objects::names;
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, DownwardAPIProjection, DownwardAPIVolumeFile, ObjectFieldSelector,
    ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use sympozium_core::run::pod_contract::{BUS_AUDIENCE, EGRESS_AUDIENCE_PREFIX, GATEWAY_AUDIENCE};

/// The shortest life of a token that Kubernetes gives.
const LEAST_SECONDS: i64 = 600;

/// Readable by owner and group only. The group is the pod's.
const MODE: i32 = 0o440;

pub(super) fn volumes(shape: &Shape<'_>) -> Vec<Volume> {
    // They live as long as the pod may; the bridge's also while the pod ends.
    let life = shape.deadline_seconds;
    let bus_life = shape.deadline_seconds.saturating_add(shape.grace_seconds);
    let mut volumes = vec![
        projected(Vol::GatewayToken, vec![token(GATEWAY_AUDIENCE.to_owned(), life)]),
        projected(Vol::BusToken, vec![token(BUS_AUDIENCE.to_owned(), bus_life)]),
    ];
    for executor in shape.executors.iter().filter(|executor| executor.proxy) {
        let pack = executor.name.as_str();
        let audience = format!("{EGRESS_AUDIENCE_PREFIX}{pack}");
        volumes.push(projected(Vol::EgressToken(pack), vec![token(audience, life)]));
    }
    if shape.executors.iter().any(|executor| executor.rights) {
        volumes.push(api_server(shape, life));
    }
    volumes
}

fn projected(vol: Vol<'_>, sources: Vec<VolumeProjection>) -> Volume {
    Volume {
        name: vol.name(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(sources),
            default_mode: Some(MODE),
        }),
        ..Volume::default()
    }
}

fn token(audience: String, life: i64) -> VolumeProjection {
    VolumeProjection {
        service_account_token: Some(ServiceAccountTokenProjection {
            audience: Some(audience),
            expiration_seconds: Some(life.max(LEAST_SECONDS)),
            path: "token".to_owned(),
        }),
        ..VolumeProjection::default()
    }
}

/// The three files that clients of the API server look for. Go checks the certificate of a proxy against the same
/// authorities as the target's, so that `ca.crt` holds the cluster's and ours.
fn api_server(shape: &Shape<'_>, life: i64) -> Volume {
    let certificates = VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: shape.surroundings.instance.ca_config_map.clone(),
            items: Some(vec![item(names::CA_BUNDLE_KEY, "ca.crt")]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    let namespace = VolumeProjection {
        downward_api: Some(DownwardAPIProjection {
            items: Some(vec![DownwardAPIVolumeFile {
                path: "namespace".to_owned(),
                field_ref: Some(ObjectFieldSelector {
                    api_version: Some("v1".to_owned()),
                    field_path: "metadata.namespace".to_owned(),
                }),
                ..DownwardAPIVolumeFile::default()
            }]),
        }),
        ..VolumeProjection::default()
    };
    let audience = shape.surroundings.installation.api_audience.clone();
    projected(
        Vol::ApiToken,
        vec![token(audience, life), certificates, namespace],
    )
}
