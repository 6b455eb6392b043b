//! The facts about installation and instance that a run's objects depend on.

use crate::crd::v1alpha1::{AgentRun, PodTemplate, SympoziumInstance};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;
use sympozium_core::ids::{InvalidId, Namespace, PackName};

/// A Service of ours, as run pods reach it. They have no DNS, so its address becomes an entry of their hosts file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The name in its certificate, such as `sympozium-gateway.sympozium-system.svc`.
    pub host: String,
    /// Its cluster IP.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
}

/// The installation's own images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Our agent.
    pub runner: String,
    /// The bridge, which also holds the toolbox.
    pub bridge: String,
    /// The sandbox of runs for which neither run, instance nor policy names one.
    pub sandbox: String,
}

/// When images are pulled, as in a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Before every start.
    Always,
    /// When the node does not have them.
    #[default]
    IfNotPresent,
    /// Never.
    Never,
}

impl PullPolicy {
    /// The name in a container.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// Facts about the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its namespace, such as `sympozium-system`. Skills get as little there as in their run's own namespace.
    pub namespace: Namespace,
    /// Its images.
    pub images: Images,
    /// When images of run pods are pulled.
    pub pull_policy: PullPolicy,
    /// The gateway.
    pub gateway: Endpoint,
    /// The event bus.
    pub bus: Endpoint,
    /// The audience of tokens for the API server, such as `https://kubernetes.default.svc.cluster.local`.
    pub api_audience: String,
}

/// Facts about an instance and what holds for its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFacts {
    /// The ConfigMap with the certificates to trust. Default: [`names::ca_config_map`](super::names::ca_config_map).
    pub ca_config_map: String,
    /// Where the rules of packs hold; empty = in the run's own namespace.
    pub target_namespaces: Vec<Namespace>,
    /// What the instance says about its pods.
    pub pod_template: PodTemplate,
    /// The skills that are ConfigMaps of the run's namespace, and not packs.
    pub config_map_skills: BTreeSet<PackName>,
    /// The longest that the run's policies let a question wait for a person; zero when none asks.
    pub approval_wait: Duration,
    /// How long a pod may take to end, its bridge's draining included. Less than 30 s is taken as 30 s.
    pub termination_grace: Duration,
}

impl InstanceFacts {
    /// How long a pod may take to end unless a policy says less: longer than a bus may be out of reach.
    pub const TERMINATION_GRACE: Duration = Duration::from_mins(11);

    /// What an instance and one of its runs say themselves. No waiting for approvals, and the default grace.
    pub fn of(instance: &SympoziumInstance, run: &AgentRun) -> Result<Self, InvalidId> {
        let spec = &instance.spec;
        let skills = run.spec.skills.as_ref().unwrap_or(&spec.skills);
        let config_maps = skills.iter().filter_map(|skill| skill.config_map_ref.as_ref());
        Ok(Self {
            ca_config_map: super::names::ca_config_map(instance.metadata.name.as_deref().unwrap_or_default()),
            target_namespaces: spec
                .target_namespaces
                .iter()
                .map(Namespace::new)
                .collect::<Result<_, _>>()?,
            pod_template: spec.pod_template.clone().unwrap_or_default(),
            config_map_skills: config_maps.map(PackName::new).collect::<Result<_, _>>()?,
            approval_wait: Duration::ZERO,
            termination_grace: Self::TERMINATION_GRACE,
        })
    }
}

/// All that a run's objects depend on besides its plan.
#[derive(Debug, Clone, Copy)]
pub struct RunSurroundings<'a> {
    /// Facts about the installation.
    pub installation: &'a Installation,
    /// Facts about the run's instance.
    pub instance: &'a InstanceFacts,
}
