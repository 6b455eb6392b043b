//! What the controllers share: [`World`].

use super::memos::Memos;
use crate::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance, SympoziumPolicy, SympoziumSchedule};
use crate::objects::{Installation, PodBuilder, instance::NetworkPeers};
use crate::operator::apply::Applier;
use crate::operator::clock::Clock;
use crate::operator::queue::Queue;
use crate::operator::run::{ResultSource, RunTiming};
use crate::operator::slots::Slots;
use crate::operator::watch::{Change, Key, LiveRuns, PodChange, Pods, Store};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use sympozium_core::ids::RunUid;
use sympozium_core::memory::MemoryStore;
use tokio::sync::watch;

/// Settings of the controllers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many ended runs of an instance are kept. Default: 50.
    pub history_limit: usize,
    /// How many runs, schedules and others are looked at at once, each. Default: 16.
    pub workers: usize,
    /// When runs that do not come on are given up.
    pub timing: RunTiming,
    /// Who reports Events, such as the pod's name.
    pub reporter: String,
    /// The namespace of policies that hold everywhere or are named by a namespace's label, and of built-in packs.
    pub system_namespace: String,
    /// The name of the policy that holds everywhere. Default: `default`.
    pub install_policy: String,
    /// The gateway's ServiceAccount, which reads instances' Secrets. Default: `sympozium-gateway`.
    pub gateway_account: String,
    /// The certificate of our own authority, in PEM; `None` = the ConfigMaps with it are kept by somebody else.
    pub ca: Option<CaBundle>,
    /// What NetworkPolicies let run pods reach; `None` = they are kept by somebody else.
    pub peers: Option<NetworkPeers>,
}

/// Certificates that run pods trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    /// Of our own authority, in PEM.
    pub own: String,
    /// Of the cluster's, in PEM.
    pub cluster: String,
}

/// What watches tell.
#[derive(Debug, Default)]
pub(in crate::operator) struct Caches {
    pub(in crate::operator) runs: LiveRuns,
    pub(in crate::operator) pods: Pods,
    pub(in crate::operator) instances: Store<SympoziumInstance>,
    pub(in crate::operator) policies: Store<SympoziumPolicy>,
    pub(in crate::operator) packs: Store<SkillPack>,
    pub(in crate::operator) schedules: Store<SympoziumSchedule>,
    pub(in crate::operator) namespaces: Store<PartialObjectMeta<Namespace>>,
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub(in crate::operator) struct Queues {
    pub(in crate::operator) runs: Arc<Queue<Key>>,
    pub(in crate::operator) instances: Arc<Queue<Key>>,
    pub(in crate::operator) policies: Arc<Queue<Key>>,
    pub(in crate::operator) packs: Arc<Queue<Key>>,
    pub(in crate::operator) schedules: Arc<Queue<Key>>,
}

/// What the controllers share.
pub(in crate::operator) struct World {
    pub(super) applier: Applier,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) builder: Arc<dyn PodBuilder>,
    pub(super) installation: Installation,
    pub(super) sources: Vec<Arc<dyn ResultSource>>,
    pub(super) memories: Arc<dyn MemoryStore>,
    pub(super) network: watch::Receiver<Option<bool>>,
    pub(super) settings: Settings,
    pub(super) caches: Caches,
    pub(super) queues: Queues,
    pub(super) memos: Memos,
    slots: Mutex<Slots>,
}

/// What a world is made of.
pub(in crate::operator) struct Parts {
    pub(in crate::operator) applier: Applier,
    pub(in crate::operator) clock: Arc<dyn Clock>,
    pub(in crate::operator) builder: Arc<dyn PodBuilder>,
    pub(in crate::operator) installation: Installation,
    pub(in crate::operator) sources: Vec<Arc<dyn ResultSource>>,
    pub(in crate::operator) memories: Arc<dyn MemoryStore>,
    pub(in crate::operator) network: watch::Receiver<Option<bool>>,
    pub(in crate::operator) settings: Settings,
}

impl World {
    pub(in crate::operator) fn new(parts: Parts) -> Self {
        Self {
            applier: parts.applier,
            clock: parts.clock,
            builder: parts.builder,
            installation: parts.installation,
            sources: parts.sources,
            memories: parts.memories,
            network: parts.network,
            settings: parts.settings,
            caches: Caches::default(),
            queues: Queues::default(),
            memos: Memos::default(),
            slots: Mutex::new(Slots::default()),
        }
    }

    pub(in crate::operator) const fn applier(&self) -> &Applier {
        &self.applier
    }

    pub(in crate::operator) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(in crate::operator) const fn caches(&self) -> &Caches {
        &self.caches
    }

    pub(in crate::operator) const fn queues(&self) -> &Queues {
        &self.queues
    }

    pub(in crate::operator) const fn workers(&self) -> usize {
        self.settings.workers
    }

    /// A new leader remembers nothing of an earlier term of its own, and looks at everything.
    pub(in crate::operator) fn begin_term(&self) {
        self.memos.clear();
        *self.slots() = Slots::default();
        let Caches {
            runs,
            instances,
            policies,
            packs,
            schedules,
            ..
        } = &self.caches;
        runs.all()
            .iter()
            .for_each(|run| self.queues.runs.push(Key::of(run.as_ref())));
        instances
            .all()
            .iter()
            .for_each(|one| self.queues.instances.push(Key::of(one.as_ref())));
        policies
            .all()
            .iter()
            .for_each(|one| self.queues.policies.push(Key::of(one.as_ref())));
        packs
            .all()
            .iter()
            .for_each(|one| self.queues.packs.push(Key::of(one.as_ref())));
        schedules
            .all()
            .iter()
            .for_each(|one| self.queues.schedules.push(Key::of(one.as_ref())));
    }

    /// The one table of slots. Never held over an await.
    pub(super) fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs that have or want slots look again.
    pub(super) fn wake_runs(&self, runs: impl IntoIterator<Item = RunUid>) {
        for run in runs {
            if let Some(key) = self.caches.runs.key_of(&run.to_string()) {
                self.queues.runs.push(key);
            }
        }
    }

    /// A run changed: it is looked at, and so is who counts it.
    pub(in crate::operator) fn run_changed(&self, change: &Change<AgentRun>) {
        let (Change::Put(run) | Change::Gone(run)) = change;
        let key = Key::of(run.as_ref());
        if matches!(change, Change::Gone(_)) {
            self.memos.note_gone(run);
            if let Some(schedule) = run
                .metadata
                .labels
                .as_ref()
                .and_then(|all| all.get(super::names::SCHEDULE))
            {
                self.queues
                    .schedules
                    .push(Key::new(key.namespace.clone(), schedule.clone()));
            }
        }
        self.queues
            .instances
            .push(Key::new(key.namespace.clone(), run.spec.instance_ref.clone()));
        self.queues.runs.push(key);
    }

    /// An instance changed: it is looked at, and so are runs and schedules that wait for it, and its policy.
    pub(in crate::operator) fn instance_changed(&self, change: &Change<SympoziumInstance>) {
        let (Change::Put(instance) | Change::Gone(instance)) = change;
        let key = Key::of(instance.as_ref());
        self.wake_waiting(|run| {
            run.spec.instance_ref == key.name && run.metadata.namespace.as_deref() == Some(&key.namespace)
        });
        for schedule in self.caches.schedules.filter(|schedule| {
            schedule.spec.instance_ref == key.name
                && schedule.metadata.namespace.as_deref() == Some(&key.namespace)
        }) {
            self.queues.schedules.push(Key::of(schedule.as_ref()));
        }
        if let Some(policy) = &instance.spec.policy_ref {
            self.queues
                .policies
                .push(Key::new(key.namespace.clone(), policy.clone()));
        }
        self.queues.instances.push(key);
    }

    /// A run's pod changed: its run is looked at. That it is gone is to be confirmed.
    pub(in crate::operator) fn pod_changed(&self, change: &PodChange) {
        if change.gone {
            self.memos.confirm(&change.run_uid);
        }
        self.queues.runs.push(change.run.clone());
    }

    /// A schedule changed: it is looked at.
    pub(in crate::operator) fn schedule_changed(&self, change: &Change<SympoziumSchedule>) {
        let (Change::Put(schedule) | Change::Gone(schedule)) = change;
        self.queues.schedules.push(Key::of(schedule.as_ref()));
    }

    /// A namespace changed: another policy may hold there, so that runs which wait look again.
    pub(in crate::operator) fn namespace_changed(&self, change: &Change<PartialObjectMeta<Namespace>>) {
        let (Change::Put(namespace) | Change::Gone(namespace)) = change;
        self.wake_waiting(|run| run.metadata.namespace == namespace.metadata.name);
    }

    /// A policy changed: limits may have, so that runs which wait look again.
    pub(in crate::operator) fn policy_changed(&self, change: &Change<SympoziumPolicy>) {
        let (Change::Put(policy) | Change::Gone(policy)) = change;
        let key = Key::of(policy.as_ref());
        let system = key.namespace == self.settings.system_namespace;
        self.wake_waiting(|run| system || run.metadata.namespace.as_deref() == Some(&key.namespace));
        for instance in self.caches.instances.filter(|instance| {
            instance.spec.policy_ref.as_deref() == Some(&key.name)
                && instance.metadata.namespace.as_deref() == Some(&key.namespace)
        }) {
            self.queues.instances.push(Key::of(instance.as_ref()));
        }
        self.queues.policies.push(key);
    }

    /// A pack changed: runs that wait for it look again, and so do instances that name it.
    pub(in crate::operator) fn pack_changed(&self, change: &Change<SkillPack>) {
        let (Change::Put(pack) | Change::Gone(pack)) = change;
        let key = Key::of(pack.as_ref());
        self.wake_waiting(|_| true);
        for instance in self.caches.instances.all() {
            let names = |reference: &crate::crd::v1alpha1::SkillRefSpec| {
                let name = reference.skill_pack_ref.as_deref().unwrap_or_default();
                name.strip_prefix("system/").unwrap_or(name) == key.name
            };
            if instance.spec.skills.iter().any(names) {
                self.queues.instances.push(Key::of(instance.as_ref()));
            }
        }
        self.queues.packs.push(key);
    }

    /// The policies that hold for runs of an instance, as far as caches know them.
    pub(super) fn holding(&self, namespace: &str, instance: &str) -> Vec<Arc<SympoziumPolicy>> {
        let system = self.settings.system_namespace.as_str();
        let label = self.caches.namespaces.get(&Key::new("", namespace));
        let label = label.and_then(|namespace| {
            namespace
                .metadata
                .labels
                .as_ref()?
                .get(super::names::POLICY)
                .cloned()
        });
        let own = self.caches.instances.get(&Key::new(namespace, instance));
        let own = own.and_then(|instance| instance.spec.policy_ref.clone());
        [
            Some(Key::new(system, self.settings.install_policy.clone())),
            label.map(|name| Key::new(system, name)),
            own.map(|name| Key::new(namespace, name)),
        ]
        .into_iter()
        .flatten()
        .filter_map(|key| self.caches.policies.get(&key))
        .collect()
    }

    /// Runs of which nothing was made look again.
    fn wake_waiting(&self, wanted: impl Fn(&AgentRun) -> bool) {
        let waiting = self
            .caches
            .runs
            .filter(|run| !crate::operator::run::was_made(run) && wanted(run));
        for run in waiting {
            self.queues.runs.push(Key::of(run.as_ref()));
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
