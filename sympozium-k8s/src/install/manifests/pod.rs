//! What all pods of an installation have in common: Pod Security `restricted`, and no token unasked.

use crate::install::InstallOptions;
use crate::install::names::{self, HEALTH_PORT};
use crate::install::options::Image;
use k8s_openapi::api::apps::v1::{DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar,
    HTTPGetAction, KeyToPath, PodAffinityTerm, PodAntiAffinity, PodSecurityContext, PodSpec, PodTemplateSpec,
    Probe, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext, Volume, VolumeMount,
    WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Whom our own programs run as, whatever their images say.
pub(super) const USER: i64 = 1000;
/// Where certificates of a server are.
pub(in crate::install) const TLS_FOLDER: &str = "/etc/sympozium/tls";
/// Where the roots to trust are.
pub(in crate::install) const CA_FOLDER: &str = "/etc/sympozium/ca";
/// Files of Secrets: for the owner and the pod's group, and nobody else.
const SECRET_MODE: i32 = 0o440;

/// A pod of a part, as a template.
pub(super) fn template(options: &InstallOptions, part: &str, user: i64, spec: PodSpec) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(names::labels(part, &options.version)),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(part.to_owned()),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(user),
                run_as_group: Some(user),
                fs_group: Some(user),
                seccomp_profile: Some(runtime_default()),
                ..PodSecurityContext::default()
            }),
            affinity: Some(apart(part)),
            ..spec
        }),
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile {
        type_: "RuntimeDefault".to_owned(),
        localhost_profile: None,
    }
}

/// Several of one part are on several nodes, if there are several.
fn apart(part: &str) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: PodAffinityTerm {
                    topology_key: "kubernetes.io/hostname".to_owned(),
                    label_selector: Some(LabelSelector {
                        match_labels: Some(names::selector(part)),
                        match_expressions: None,
                    }),
                    ..PodAffinityTerm::default()
                },
            }]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

/// A container that can't become more than it is.
pub(super) fn container(options: &InstallOptions, name: &str, image: Image) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(options.image(image)),
        image_pull_policy: Some(options.images.pull_policy.as_str().to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: None,
            }),
            seccomp_profile: Some(runtime_default()),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// What is set aside of CPU and memory, and the most memory that it may have. CPU has no limit: throttled servers are slow
/// for everybody.
pub(super) fn resources(cpu: &str, memory: &str, most_memory: &str) -> ResourceRequirements {
    let quantity = |name: &str, amount: &str| (name.to_owned(), Quantity(amount.to_owned()));
    ResourceRequirements {
        requests: Some([quantity("cpu", cpu), quantity("memory", memory)].into()),
        limits: Some([quantity("memory", most_memory)].into()),
        claims: None,
    }
}

/// A named TCP port.
pub(super) fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// A probe by HTTP.
pub(super) fn http(path: &str, port: u16) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(i32::from(port)),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(5),
        timeout_seconds: Some(3),
        ..Probe::default()
    }
}

/// The probes of gateway and operator.
pub(super) fn probed(container: Container) -> Container {
    let mut ports = container.ports.unwrap_or_default();
    ports.push(port("health", HEALTH_PORT));
    Container {
        ports: Some(ports),
        readiness_probe: Some(http("/readyz", HEALTH_PORT)),
        liveness_probe: Some(Probe {
            failure_threshold: Some(6),
            ..http("/healthz", HEALTH_PORT)
        }),
        // A gateway listens once it has seen all runs: on a large cluster that takes its time.
        startup_probe: Some(Probe {
            failure_threshold: Some(60),
            ..http("/healthz", HEALTH_PORT)
        }),
        ..container
    }
}

/// A new one comes before an old one goes.
pub(super) fn rolling() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

/// A variable.
pub(super) fn env(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.into()),
        value_from: None,
    }
}

/// Files of a Secret: only those of these keys, or all.
pub(super) fn secret(name: &str, secret: &str, keys: &[&str]) -> Volume {
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            default_mode: Some(SECRET_MODE),
            items: items(keys),
            optional: None,
        }),
        ..Volume::default()
    }
}

/// Keys of a Secret or ConfigMap as files of their names; none = all.
pub(super) fn items(keys: &[&str]) -> Option<Vec<KeyToPath>> {
    let item = |key: &&str| KeyToPath {
        key: (*key).to_owned(),
        path: (*key).to_owned(),
        mode: None,
    };
    (!keys.is_empty()).then(|| keys.iter().map(item).collect())
}

/// Files of a ConfigMap.
pub(super) fn config_map(name: &str, config_map: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.to_owned(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// A folder that ends with the pod.
pub(super) fn empty_dir(name: &str, limit: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(limit.to_owned())),
            medium: None,
        }),
        ..Volume::default()
    }
}

/// Where a volume is seen.
pub(super) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(read_only),
        ..VolumeMount::default()
    }
}
