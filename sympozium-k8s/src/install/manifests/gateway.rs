//! The gateway's Deployment.

use super::{metadata, pod};
use crate::ca;
use crate::install::InstallOptions;
use crate::install::names::{self, BUS_KEYS, GATEWAY, GATEWAY_TLS, NATS};
use crate::install::options::{Database, Image};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, PodSpec, SecretKeySelector};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// The callout's seeds, each a file of its name.
const BUS_KEYS_FOLDER: &str = "/etc/sympozium/bus-keys";
/// The names of the seeds.
pub(in crate::install) const SEEDS: [&str; 4] = ["issuer", "callout", "system", "xkey"];
/// Seconds until it is killed: more than its notice and its patience together.
const GRACE: i64 = 60;

/// As many as its autoscaler says: a number here would be fought over.
pub(super) fn deployment(options: &InstallOptions) -> Deployment {
    let mut container = pod::container(options, "gateway", Image::Gateway);
    container.ports = Some(vec![pod::port("https", names::GATEWAY_PORT)]);
    let mut container = pod::probed(container);
    container.env = Some(environment(options));
    container.resources = Some(pod::resources("100m", "128Mi", "1Gi"));
    container.volume_mounts = Some(vec![
        pod::mount("tls", pod::TLS_FOLDER, true),
        pod::mount("ca", pod::CA_FOLDER, true),
        pod::mount("bus-keys", BUS_KEYS_FOLDER, true),
    ]);
    let spec = PodSpec {
        // It asks the API server whose tokens are.
        automount_service_account_token: Some(true),
        containers: vec![container],
        volumes: Some(vec![
            pod::secret("tls", GATEWAY_TLS, &[ca::TLS_CERTIFICATE, ca::TLS_KEY]),
            pod::config_map("ca", ca::AUTHORITY),
            pod::secret("bus-keys", BUS_KEYS, &SEEDS),
        ]),
        termination_grace_period_seconds: Some(GRACE),
        ..PodSpec::default()
    };
    Deployment {
        metadata: metadata(options, GATEWAY, GATEWAY),
        spec: Some(DeploymentSpec {
            selector: LabelSelector {
                match_labels: Some(names::selector(GATEWAY)),
                match_expressions: None,
            },
            strategy: Some(pod::rolling()),
            template: pod::template(options, GATEWAY, pod::USER, spec),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn environment(options: &InstallOptions) -> Vec<EnvVar> {
    let host = names::service_host(NATS, &options.namespace);
    let mut all = vec![
        pod::env("SYMPOZIUM_NAMESPACE", &options.namespace),
        database_url(options),
        pod::env("EVENT_BUS_URL", format!("tls://{host}:{}", names::NATS_PORT)),
        pod::env("SYMPOZIUM_BUS_KEYS", BUS_KEYS_FOLDER),
        pod::env(
            "SYMPOZIUM_BUS_CA",
            format!("{}/{}", pod::CA_FOLDER, ca::BUNDLE_KEY),
        ),
    ];
    if !options.private_providers.is_empty() {
        let nets: Vec<_> = options
            .private_providers
            .iter()
            .map(ToString::to_string)
            .collect();
        all.push(pod::env("SYMPOZIUM_ALLOW_PRIVATE_PROVIDERS", nets.join(",")));
    }
    all
}

/// The database's address, that only its Secret knows.
pub(super) fn database_url(options: &InstallOptions) -> EnvVar {
    let (secret, key) = match &options.database {
        Database::Bundled => (names::DATABASE, names::DATABASE_URL_KEY),
        Database::External { secret, key } => (secret.as_str(), key.as_str()),
    };
    EnvVar {
        name: "DATABASE_URL".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.to_owned(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}
