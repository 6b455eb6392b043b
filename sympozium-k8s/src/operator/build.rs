//! An operator is put together here: [`OperatorBuilder`].

use super::apply::Applier;
use super::clock::{Clock, SystemClock};
use super::config_map_memory::ConfigMapMemories;
use super::controllers::{CaBundle, Parts, Settings, World};
use super::lead::LeaseSettings;
use super::operate::Operator;
use super::results::{LogMarkers, StepLogResults};
use super::run::{ResultSource, RunTiming, TerminationMessages};
use crate::objects::instance::NetworkPeers;
use crate::objects::{Installation, PodBuilder, StandardPodBuilder};
use kube::Client;
use std::sync::Arc;
use sympozium_core::bus::EventBus;
use sympozium_core::memory::MemoryStore;
use sympozium_core::store::StepLog;
use tokio::sync::watch;

/// A controller that an operator may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Controller {
    /// Runs: admission, queue, objects, end.
    Runs,
    /// Instances: what their runs rely on.
    Instances,
    /// Skill packs: their status.
    Packs,
    /// Policies: their status.
    Policies,
    /// Schedules: runs by the clock.
    Schedules,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Runs,
        Self::Instances,
        Self::Packs,
        Self::Policies,
        Self::Schedules,
    ];
}

/// Puts an operator together. What is not said has the default that its method names.
pub struct OperatorBuilder {
    client: Client,
    installation: Installation,
    controllers: Vec<Controller>,
    builder: Arc<dyn PodBuilder>,
    bus: Option<Arc<dyn EventBus>>,
    steps: Option<Arc<dyn StepLog>>,
    sources: Option<Vec<Arc<dyn ResultSource>>>,
    memories: Option<Arc<dyn MemoryStore>>,
    network: Option<watch::Receiver<Option<bool>>>,
    lease: Option<LeaseSettings>,
    clock: Arc<dyn Clock>,
    namespace: Option<String>,
    settings: Settings,
}

impl std::fmt::Debug for OperatorBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorBuilder")
            .field("controllers", &self.controllers)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl OperatorBuilder {
    pub(super) fn new(client: Client, installation: Installation) -> Self {
        let settings = Settings {
            history_limit: 50,
            workers: 16,
            timing: RunTiming::default(),
            reporter: "sympozium-operator".to_owned(),
            system_namespace: installation.namespace.to_string(),
            install_policy: "default".to_owned(),
            gateway_account: "sympozium-gateway".to_owned(),
            ca: None,
            peers: None,
        };
        Self {
            client,
            installation,
            controllers: Controller::ALL.to_vec(),
            builder: Arc::new(StandardPodBuilder),
            bus: None,
            steps: None,
            sources: None,
            memories: None,
            network: None,
            lease: None,
            clock: Arc::new(SystemClock),
            namespace: None,
            settings,
        }
    }

    /// Only these controllers. Default: all.
    #[must_use]
    pub fn controllers(mut self, controllers: impl IntoIterator<Item = Controller>) -> Self {
        self.controllers = controllers.into_iter().collect();
        self.controllers.sort_unstable();
        self.controllers.dedup();
        self
    }

    /// Who makes the objects of a run. Default: [`StandardPodBuilder`].
    #[must_use]
    pub fn pod_builder(mut self, builder: Arc<dyn PodBuilder>) -> Self {
        self.builder = builder;
        self
    }

    /// Where results and questions are heard. Default: nowhere; results then come from the pod and the other sources.
    #[must_use]
    pub fn bus(mut self, bus: Arc<dyn EventBus>) -> Self {
        self.bus = Some(bus);
        self
    }

    /// Where the gateway records its answers: the first source of results after the bus. Default: none.
    #[must_use]
    pub fn step_log(mut self, steps: Arc<dyn StepLog>) -> Self {
        self.steps = Some(steps);
        self
    }

    /// Where results come from when the bus told none, in order, in the place of step log, termination message and log.
    #[must_use]
    pub fn result_sources(mut self, sources: Vec<Arc<dyn ResultSource>>) -> Self {
        self.sources = Some(sources);
        self
    }

    /// Where instances' memories are. Default: ConfigMaps.
    #[must_use]
    pub fn memories(mut self, memories: Arc<dyn MemoryStore>) -> Self {
        self.memories = Some(memories);
        self
    }

    /// Whether NetworkPolicies are known to hold, whenever that changes. Default: nobody has looked.
    #[must_use]
    pub fn network_enforced(mut self, network: watch::Receiver<Option<bool>>) -> Self {
        self.network = Some(network);
        self
    }

    /// Several operators agree by this lease on who leads. Default: this one leads at once, so that there must be no other.
    #[must_use]
    pub fn lease(mut self, lease: LeaseSettings) -> Self {
        self.settings.reporter.clone_from(&lease.identity);
        self.lease = Some(lease);
        self
    }

    /// What time it is. Default: the machine's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Only the objects of this namespace, besides policies and packs of the installation's. Default: all namespaces.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// How many ended runs of an instance are kept. Default: 50.
    #[must_use]
    pub const fn history_limit(mut self, limit: usize) -> Self {
        self.settings.history_limit = limit;
        self
    }

    /// How many objects of a kind are looked at at once. Default: 16.
    #[must_use]
    pub const fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers;
        self
    }

    /// When runs that do not come on are given up. Default: [`RunTiming::default`].
    #[must_use]
    pub const fn timing(mut self, timing: RunTiming) -> Self {
        self.settings.timing = timing;
        self
    }

    /// The certificates that run pods trust. Default: somebody else keeps the ConfigMaps with them.
    #[must_use]
    pub fn certificates(mut self, ca: CaBundle) -> Self {
        self.settings.ca = Some(ca);
        self
    }

    /// What NetworkPolicies let run pods reach. Default: somebody else keeps them.
    #[must_use]
    pub fn network_peers(mut self, peers: NetworkPeers) -> Self {
        self.settings.peers = Some(peers);
        self
    }

    /// The gateway's ServiceAccount in the installation's namespace. Default: `sympozium-gateway`.
    #[must_use]
    pub fn gateway_account(mut self, account: impl Into<String>) -> Self {
        self.settings.gateway_account = account.into();
        self
    }

    /// The operator. Nothing happens until it is run.
    pub fn build(self) -> Operator {
        let sources = self.sources.unwrap_or_else(|| {
            let steps = self
                .steps
                .map(|steps| Arc::new(StepLogResults::new(steps)) as Arc<dyn ResultSource>);
            let pod: [Arc<dyn ResultSource>; 2] = [
                Arc::new(TerminationMessages),
                Arc::new(LogMarkers::new(self.client.clone())),
            ];
            steps.into_iter().chain(pod).collect()
        });
        let memories = self
            .memories
            .unwrap_or_else(|| Arc::new(ConfigMapMemories::new(self.client.clone())));
        let world = World::new(Parts {
            applier: Applier::new(self.client),
            clock: self.clock,
            builder: self.builder,
            installation: self.installation,
            sources,
            memories,
            network: self.network.unwrap_or_else(|| watch::channel(None).1),
            settings: self.settings,
        });
        Operator::new(
            Arc::new(world),
            self.controllers,
            self.bus,
            self.lease,
            self.namespace,
        )
    }
}
