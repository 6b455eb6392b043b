//! Which runs go on, and what each may do: kept by watches, so that asking costs nothing. Entry: [`LiveRuns`].

pub(super) mod index;
mod plans;

use super::standing::RunFacts;
use crate::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance, SympoziumPolicy};
use futures::{Stream, StreamExt, pin_mut};
use index::{Index, Key, Seen, facts, uid_of};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::{self, Config, Event, watcher};
use plans::{Objects, System};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sympozium_core::error::{BoxError, chain};
use sympozium_core::ids::RunUid;
use sympozium_core::run::RunPlan;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Only runs that go on: finished ones leave by an event.
const LIVE: &str = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Cancelled";
/// How many plans are kept. Made again when they are wanted.
const PLANS: usize = 50_000;
/// How long one read of a run may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where the installation is.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// The namespace of install-wide policies and built-in packs. Default: `sympozium-system`.
    pub system_namespace: String,
    /// The policy there that holds everywhere. Default: `default`.
    pub install_policy: String,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            system_namespace: "sympozium-system".to_owned(),
            install_policy: "default".to_owned(),
        }
    }
}

/// How many ended runs wait to be told of; while there are more, the watch of runs waits.
const TOLD: usize = 10_000;

/// Runs that have ended, as the watch shows it: each at least once. Read it, or drop it.
pub type Ended = mpsc::Receiver<RunUid>;

/// A plan, and of what it was made.
struct Planned {
    made_of: (u64, Option<String>),
    plan: Arc<RunPlan>,
}

/// The runs that go on. Watches runs, instances, policies, packs and the labels of namespaces while it
/// [runs](LiveRuns::run).
pub struct LiveRuns {
    client: Client,
    system: System,
    index: Mutex<Index>,
    objects: Objects,
    writers: Mutex<Option<Writers>>,
    /// Grows with every change of anything that plans are made of, runs apart.
    epoch: AtomicU64,
    plans: Mutex<HashMap<RunUid, Planned>>,
    ended: mpsc::Sender<RunUid>,
    complete: watch::Sender<bool>,
}

struct Writers {
    instances: Writer<SympoziumInstance>,
    policies: Writer<SympoziumPolicy>,
    packs: Writer<SkillPack>,
    namespaces: Writer<PartialObjectMeta<Namespace>>,
}

impl LiveRuns {
    /// Knows nothing yet. The receiver is told of each run that ends.
    pub fn new(client: Client, settings: LiveSettings) -> (Arc<Self>, Ended) {
        let (instances, instances_writer) = reflector::store();
        let (policies, policies_writer) = reflector::store();
        let (packs, packs_writer) = reflector::store();
        let (namespaces, namespaces_writer) = reflector::store();
        let (ended, receiver) = mpsc::channel(TOLD);
        let runs = Self {
            client,
            system: System {
                namespace: settings.system_namespace,
                policy: settings.install_policy,
            },
            index: Mutex::default(),
            objects: Objects {
                instances,
                policies,
                packs,
                namespaces,
            },
            writers: Mutex::new(Some(Writers {
                instances: instances_writer,
                policies: policies_writer,
                packs: packs_writer,
                namespaces: namespaces_writer,
            })),
            epoch: AtomicU64::new(0),
            plans: Mutex::default(),
            ended,
            complete: watch::Sender::new(false),
        };
        (Arc::new(runs), receiver)
    }

    /// Watches until `cancel`. A watch that breaks is begun anew, with growing pauses. Call it once.
    pub async fn run(&self, cancel: CancellationToken) {
        let writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writers) = writers else {
            return tracing::error!("runs are watched already");
        };
        let client = &self.client;
        // Five watches are large, and whoever awaits this should not be.
        let all = Box::pin(async {
            tokio::join!(
                self.watch_runs(),
                self.follow(Api::all(client.clone()), writers.instances),
                self.follow(Api::all(client.clone()), writers.policies),
                self.follow(Api::all(client.clone()), writers.packs),
                self.follow(Api::all(client.clone()), writers.namespaces),
            )
        });
        tokio::select! {
            _ = all => {}
            () = cancel.cancelled() => {}
        }
    }

    /// Waits until everything that there is has been seen once.
    pub async fn complete(&self) {
        let objects = &self.objects;
        // Each fails only when its writer is gone, and then nothing will ever be complete.
        let seen = async {
            objects.instances.wait_until_ready().await.ok()?;
            objects.policies.wait_until_ready().await.ok()?;
            objects.packs.wait_until_ready().await.ok()?;
            objects.namespaces.wait_until_ready().await.ok()?;
            self.complete
                .subscribe()
                .wait_for(|complete| *complete)
                .await
                .ok()?;
            Some(())
        };
        if seen.await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// How many runs go on.
    pub fn count(&self) -> usize {
        self.index().len()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn watch_runs(&self) {
        let config = Config::default().fields(LIVE);
        let events = watcher(Api::<AgentRun>::all(self.client.clone()), config).default_backoff();
        pin_mut!(events);
        let mut all = Vec::new();
        while let Some(event) = events.next().await {
            let ended = match event {
                Ok(Event::Init) => {
                    all.clear();
                    Vec::new()
                }
                Ok(Event::InitApply(run)) => {
                    all.push(run);
                    Vec::new()
                }
                Ok(Event::InitDone) => {
                    let ended = self.index().replace(std::mem::take(&mut all));
                    self.complete.send_replace(true);
                    ended
                }
                Ok(Event::Apply(run)) => self.index().apply(run),
                Ok(Event::Delete(run)) => self.index().remove(&run).into_iter().collect(),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the watch of runs broke and begins anew");
                    Vec::new()
                }
            };
            self.end(ended).await;
        }
    }

    async fn end(&self, ended: Vec<RunUid>) {
        for run in ended {
            self.plans
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&run);
            // Whoever does not listen does not want to know.
            let _ = self.ended.send(run).await;
        }
    }

    async fn follow<K>(&self, api: Api<K>, writer: Writer<K>)
    where
        K: kube::Resource<DynamicType = ()>
            + Clone
            + fmt::Debug
            + serde::de::DeserializeOwned
            + Send
            + 'static,
    {
        let events = reflector::reflector(writer, watcher(api, Config::default()).default_backoff());
        self.count_changes::<K>(events).await;
    }

    async fn count_changes<K>(&self, events: impl Stream<Item = Result<Event<K>, watcher::Error>>)
    where
        K: kube::Resource<DynamicType = ()>,
    {
        pin_mut!(events);
        while let Some(event) = events.next().await {
            // Seen by the cache already.
            self.epoch.fetch_add(1, Ordering::AcqRel);
            if let Err(error) = event {
                let kind = K::kind(&());
                tracing::warn!(error = chain(&error), %kind, "a watch broke and begins anew");
            }
        }
    }

    pub(super) fn of_pod(&self, pod: uuid::Uuid) -> Seen {
        self.index().of_pod(pod)
    }

    pub(super) fn named(&self, key: &Key) -> Option<Arc<AgentRun>> {
        self.index().named(key)
    }

    /// What the API server says of a run now; `None` = there is none.
    pub(super) async fn ask(
        &self,
        (namespace, name): &Key,
    ) -> Result<Option<(AgentRun, RunFacts)>, BoxError> {
        let api: Api<AgentRun> = Api::namespaced(self.client.clone(), namespace);
        let found = tokio::time::timeout(DEADLINE, api.get_opt(name)).await??;
        Ok(found.map(|run| {
            let facts = facts(&run);
            (run, facts)
        }))
    }

    /// What a run may do now, or why nothing, as a sentence.
    pub(super) fn plan(&self, run: &AgentRun) -> Result<Arc<RunPlan>, String> {
        let uid = uid_of(run).ok_or("The run has no UID.")?;
        let made_of = (
            self.epoch.load(Ordering::Acquire),
            run.metadata.resource_version.clone(),
        );
        let kept = |plans: &HashMap<RunUid, Planned>| {
            let planned = plans.get(&uid).filter(|planned| planned.made_of == made_of)?;
            Some(Arc::clone(&planned.plan))
        };
        if let Some(plan) = kept(&self.plans.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(plan);
        }
        let plan = Arc::new(self.objects.plan(run, uid, &self.system)?);
        let planned = Planned {
            made_of: made_of.clone(),
            plan: Arc::clone(&plan),
        };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS {
            plans.clear();
        }
        plans.insert(uid, planned);
        Ok(plan)
    }
}

impl fmt::Debug for LiveRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveRuns")
            .field("system", &self.system)
            .field("runs", &self.count())
            .finish_non_exhaustive()
    }
}
