//! The bundled event bus: one NATS server with JetStream on a volume, TLS, and authentication by the gateway's callout.

use super::{metadata, pod, services};
use crate::ca;
use crate::install::InstallOptions;
use crate::install::names::{self, BUS_KEYS, CALLOUT_CONF, NATS, NATS_PORT, NATS_TLS};
use crate::install::options::Image;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapProjection, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSpec, Probe,
    ProjectedVolumeSource, SecretProjection, Volume, VolumeProjection, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use std::collections::BTreeMap;

/// The folder of the configuration. Includes are looked for beside the file that has them.
const CONFIG_FOLDER: &str = "/etc/nats";
const CONFIG: &str = "nats.conf";
/// The server's port for health.
const MONITOR_PORT: u16 = 8222;
/// Largest message, in bytes: what the API server takes at most, too.
const MAX_PAYLOAD: u32 = 1024 * 1024;

/// The configuration. What hands authentication to the callout stands in a file of its own, because it holds public keys
/// that are made once for each installation.
pub(super) fn config(options: &InstallOptions) -> ConfigMap {
    let text = format!(
        "# Made by `sympozium install`.\n\
         server_name: {NATS}\n\
         listen: 0.0.0.0:{NATS_PORT}\n\
         http: 0.0.0.0:{MONITOR_PORT}\n\
         max_payload: {MAX_PAYLOAD}\n\
         lame_duck_grace_period: 2s\n\
         lame_duck_duration: 30s\n\
         jetstream {{\n  store_dir: /data\n}}\n\
         include {CALLOUT_CONF:?}\n"
    );
    ConfigMap {
        metadata: metadata(options, NATS, NATS),
        data: Some(BTreeMap::from([(CONFIG.to_owned(), text)])),
        ..ConfigMap::default()
    }
}

/// The server.
pub(super) fn stateful_set(options: &InstallOptions) -> StatefulSet {
    let size = &options.storage.bus_size;
    StatefulSet {
        metadata: metadata(options, NATS, NATS),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(services::headless(NATS)),
            selector: LabelSelector {
                match_labels: Some(names::selector(NATS)),
                match_expressions: None,
            },
            template: pod::template(options, NATS, pod::USER, pod_spec(options)),
            volume_claim_templates: Some(vec![claim(options, NATS, size)]),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn pod_spec(options: &InstallOptions) -> PodSpec {
    let mut container = pod::container(options, "nats", Image::Nats);
    // What comes after the image's own entry point, which is the server.
    container.args = Some(vec!["--config".to_owned(), format!("{CONFIG_FOLDER}/{CONFIG}")]);
    container.ports = Some(vec![
        pod::port("nats", NATS_PORT),
        pod::port("monitor", MONITOR_PORT),
    ]);
    container.readiness_probe = Some(pod::http("/healthz?js-enabled-only=true", MONITOR_PORT));
    container.liveness_probe = Some(Probe {
        failure_threshold: Some(6),
        ..pod::http("/", MONITOR_PORT)
    });
    container.startup_probe = Some(Probe {
        failure_threshold: Some(60),
        ..pod::http("/", MONITOR_PORT)
    });
    container.resources = Some(pod::resources("100m", "128Mi", "1Gi"));
    container.volume_mounts = Some(vec![
        pod::mount("data", "/data", false),
        pod::mount("config", CONFIG_FOLDER, true),
        pod::mount("tls", pod::TLS_FOLDER, true),
    ]);
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container],
        volumes: Some(vec![
            configuration(),
            pod::secret("tls", NATS_TLS, &[ca::TLS_CERTIFICATE, ca::TLS_KEY]),
        ]),
        termination_grace_period_seconds: Some(60),
        ..PodSpec::default()
    }
}

/// Both files in one folder. Of the Secret only what is no secret: the server knows no seed.
fn configuration() -> Volume {
    let files = VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: NATS.to_owned(),
            ..ConfigMapProjection::default()
        }),
        ..VolumeProjection::default()
    };
    let callout = VolumeProjection {
        secret: Some(SecretProjection {
            name: BUS_KEYS.to_owned(),
            items: pod::items(&[CALLOUT_CONF]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    Volume {
        name: "config".to_owned(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(vec![files, callout]),
            default_mode: None,
        }),
        ..Volume::default()
    }
}

/// A volume for each pod of a StatefulSet, called `data`.
pub(super) fn claim(options: &InstallOptions, part: &str, size: &str) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some("data".to_owned()),
            // Without the version: what a claim was made from can't be changed.
            labels: Some(BTreeMap::from([
                (names::NAME.to_owned(), part.to_owned()),
                (names::MANAGED_BY.to_owned(), names::SYMPOZIUM.to_owned()),
            ])),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: options.storage.class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(size.to_owned()))].into()),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
