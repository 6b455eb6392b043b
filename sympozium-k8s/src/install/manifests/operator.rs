//! The operator's Deployment.

use super::{metadata, pod};
use crate::ca;
use crate::install::InstallOptions;
use crate::install::names::{self, GATEWAY, NATS, OPERATOR};
use crate::install::options::Image;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Where the kubelet puts the token and the cluster's root.
const CLUSTER_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// Several, of which one leads.
pub(super) fn deployment(options: &InstallOptions) -> Deployment {
    let mut container = pod::probed(pod::container(options, "operator", Image::Operator));
    container.env = Some(environment(options));
    container.resources = Some(pod::resources("50m", "64Mi", "512Mi"));
    container.volume_mounts = Some(vec![pod::mount("ca", pod::CA_FOLDER, true)]);
    let spec = PodSpec {
        // It talks to the API server.
        automount_service_account_token: Some(true),
        containers: vec![container],
        volumes: Some(vec![pod::config_map("ca", ca::AUTHORITY)]),
        termination_grace_period_seconds: Some(30),
        ..PodSpec::default()
    };
    Deployment {
        metadata: metadata(options, OPERATOR, OPERATOR),
        spec: Some(DeploymentSpec {
            replicas: Some(i32::from(options.replicas)),
            selector: LabelSelector {
                match_labels: Some(names::selector(OPERATOR)),
                match_expressions: None,
            },
            strategy: Some(pod::rolling()),
            template: pod::template(options, OPERATOR, pod::USER, spec),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn environment(options: &InstallOptions) -> Vec<EnvVar> {
    let pod_name = EnvVar {
        name: "SYMPOZIUM_POD_NAME".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: "metadata.name".to_owned(),
                api_version: None,
            }),
            ..EnvVarSource::default()
        }),
    };
    let host = |service| names::service_host(service, &options.namespace);
    let mut all = vec![
        pod_name,
        pod::env("SYMPOZIUM_NAMESPACE", &options.namespace),
        pod::env("SYMPOZIUM_RUNNER_IMAGE", options.image(Image::Runner)),
        pod::env("SYMPOZIUM_BRIDGE_IMAGE", options.image(Image::Bridge)),
        pod::env("SYMPOZIUM_SANDBOX_IMAGE", options.image(Image::SkillK8sOps)),
        pod::env("SYMPOZIUM_GATEWAY_HOST", host(GATEWAY)),
        // Kubernetes names the addresses of a namespace's Services in the environment of its pods, and puts them in here.
        pod::env("SYMPOZIUM_GATEWAY_IP", "$(SYMPOZIUM_GATEWAY_SERVICE_HOST)"),
        pod::env("SYMPOZIUM_GATEWAY_PORT", names::GATEWAY_PORT.to_string()),
        pod::env("SYMPOZIUM_BUS_HOST", host(NATS)),
        pod::env("SYMPOZIUM_BUS_IP", "$(SYMPOZIUM_NATS_SERVICE_HOST)"),
        pod::env("SYMPOZIUM_BUS_PORT", names::NATS_PORT.to_string()),
        pod::env("SYMPOZIUM_CA", format!("{}/{}", pod::CA_FOLDER, ca::BUNDLE_KEY)),
        pod::env("SYMPOZIUM_CLUSTER_CA", CLUSTER_CA),
        super::gateway::database_url(options),
    ];
    all.extend(
        options
            .api_audience
            .as_ref()
            .map(|audience| pod::env("SYMPOZIUM_API_AUDIENCE", audience)),
    );
    all
}
