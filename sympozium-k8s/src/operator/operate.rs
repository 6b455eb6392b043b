//! The whole operator: watches, leadership, controllers. Entry: [`Operator`].

use super::build::{Controller, OperatorBuilder};
use super::controllers::{Instances, Packs, Policies, Runs, Schedules, World, rebuild, sweep};
use super::error::Error;
use super::hear::hear;
use super::lead::{Lead, LeaseSettings};
use super::queue::{Queue, Reconcile, work};
use super::watching::Watching;
use crate::objects::Installation;
use kube::Client;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::bus::EventBus;
use sympozium_core::error::chain;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long to wait before a new leader tries again to find its feet.
const REBUILD_PAUSE: Duration = Duration::from_secs(2);
/// How often runs are counted for metrics.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// How long a leader that stops may take to publish the Events that it owes.
const DRAIN: Duration = Duration::from_secs(10);

/// How an operator is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Its caches are filled: it can lead at any time.
    pub ready: bool,
    /// It leads.
    pub leads: bool,
}

/// The whole operator. Reads no environment, ends no process, and has ended all that it began when
/// [`run`](Self::run) returns.
///
/// ```no_run
/// # use sympozium_k8s::operator::Operator;
/// # use sympozium_k8s::objects::Installation;
/// # async fn embed(client: kube::Client, installation: Installation, stop: tokio_util::sync::CancellationToken) {
/// Operator::builder(client, installation).build().run(stop).await;
/// # }
/// ```
#[derive(Debug)]
pub struct Operator {
    world: Arc<World>,
    controllers: Vec<Controller>,
    bus: Option<Bus>,
    lease: Option<LeaseSettings>,
    namespace: Option<String>,
    health: watch::Sender<Health>,
}

/// A bus that can be printed.
struct Bus(Arc<dyn EventBus>);

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}

impl Operator {
    /// Begins to put an operator together.
    pub fn builder(client: Client, installation: Installation) -> OperatorBuilder {
        OperatorBuilder::new(client, installation)
    }

    pub(super) fn new(
        world: Arc<World>,
        controllers: Vec<Controller>,
        bus: Option<Arc<dyn EventBus>>,
        lease: Option<LeaseSettings>,
        namespace: Option<String>,
    ) -> Self {
        Self {
            world,
            controllers,
            bus: bus.map(Bus),
            lease,
            namespace,
            health: watch::channel(Health::default()).0,
        }
    }

    /// How it is, whenever that changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Runs until told to stop: watches, waits to lead, leads; when it loses the lead, waits again.
    pub async fn run(self, stop: CancellationToken) {
        // Watches outlive the controllers: what these finish must see what it does.
        let watches = CancellationToken::new();
        let mut watching = Watching::begin(&self.world, self.namespace.as_deref(), &watches);
        self.lead_again_and_again(&mut watching, &stop).await;
        watches.cancel();
        watching.end().await;
        self.health.send_replace(Health::default());
    }

    async fn lead_again_and_again(&self, watching: &mut Watching, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = watching.filled() => {}
        }
        self.health.send_modify(|health| health.ready = true);
        let Some(settings) = &self.lease else {
            return self.lead(stop).await;
        };
        let mut lease = Lead::new(settings.clone(), self.world.applier().clone(), self.world.clock());
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = lease.acquire() => {}
            }
            tracing::info!(identity = settings.identity, "leads");
            self.held(&mut lease, stop).await;
        }
    }

    /// Leads as long as the lease is held, and gives it back once all has ended.
    async fn held(&self, lease: &mut Lead, stop: &CancellationToken) {
        let term = stop.child_token();
        let (lead, keep) = (self.lead(&term), async {
            lease.keep(&term).await;
            term.cancel();
        });
        futures::join!(lead, keep);
        lease.release().await;
    }

    /// Leads until told to stop. Everything begun has ended when this returns.
    async fn lead(&self, stop: &CancellationToken) {
        self.world.begin_term();
        if !self.find_feet(stop).await {
            return;
        }
        self.health.send_modify(|health| health.leads = true);
        let since = self.world.clock().now();
        let mut tasks = JoinSet::new();
        for controller in &self.controllers {
            self.begin(*controller, since, &mut tasks, stop);
        }
        if let Some(Bus(bus)) = self
            .bus
            .as_ref()
            .filter(|_| self.controllers.contains(&Controller::Runs))
        {
            tasks.spawn(hear(Arc::clone(&self.world), Arc::clone(bus), stop.clone()));
        }
        tasks.spawn(count(Arc::clone(&self.world), stop.clone()));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the operator broke off");
            }
        }
        self.drain(since).await;
        self.health.send_modify(|health| health.leads = false);
    }

    /// Who has slots, and what dead runs left. Without the first nothing may begin; the second can wait for the next leader.
    async fn find_feet(&self, stop: &CancellationToken) -> bool {
        if !self.controllers.contains(&Controller::Runs) {
            return true;
        }
        while let Err(error) = self.first_look().await {
            tracing::info!(
                error = chain(&error),
                "a new leader does not yet know what there is"
            );
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(REBUILD_PAUSE) => {}
            }
        }
        true
    }

    async fn first_look(&self) -> Result<(), Error> {
        rebuild(&self.world).await?;
        sweep(&self.world).await
    }

    fn begin(
        &self,
        controller: Controller,
        since: jiff::Timestamp,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        let (world, queues) = (Arc::clone(&self.world), self.world.queues());
        match controller {
            Controller::Runs => self.spawn(Runs::new(world, since), &queues.runs, tasks, stop),
            Controller::Instances => self.spawn(Instances::new(world), &queues.instances, tasks, stop),
            Controller::Packs => self.spawn(Packs::new(world), &queues.packs, tasks, stop),
            Controller::Policies => self.spawn(Policies::new(world), &queues.policies, tasks, stop),
            Controller::Schedules => self.spawn(Schedules::new(world), &queues.schedules, tasks, stop),
        }
    }

    fn spawn<R: Reconcile>(
        &self,
        reconciler: R,
        queue: &Arc<Queue<R::Key>>,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        let workers = self.world.workers();
        let queue = Arc::clone(queue);
        tasks.spawn(work(
            Arc::new(reconciler),
            queue,
            self.world.clock(),
            workers,
            stop.clone(),
        ));
    }

    /// Publishes the Events that are owed: the next leader would not know of them.
    async fn drain(&self, since: jiff::Timestamp) {
        let runs = Runs::new(Arc::clone(&self.world), since);
        let owed = async {
            for key in self.world.owes_events() {
                if let Err(error) = runs.publish(&key).await {
                    tracing::info!(run = %key, error = chain(&error), "the Event of a run's end is not published");
                }
            }
        };
        if tokio::time::timeout(DRAIN, owed).await.is_err() {
            tracing::info!("not all Events of runs' ends are published");
        }
    }
}

async fn count(world: Arc<World>, stop: CancellationToken) {
    loop {
        world.count_runs();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(COUNT_EVERY) => {}
        }
    }
}
