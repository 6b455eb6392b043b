//! [`LocalExecutor`]: run plans as trees of processes on this machine.

use super::begin::{failed, start};
use super::fit;
use super::place::{self, Place, Swept};
use super::supervise::{End, Started, Stops};
use super::{
    LocalApprover, LocalEvents, LocalIsolation, LocalSettings, NobodyAnswers, RunGateway, Walls, probe,
};
use crate::ids::RunUid;
use crate::memory::MemoryStore;
use crate::run::{ExecError, Observed, RunExecutor, RunPlan};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinHandle;

/// Carries out runs as child processes around a private `/ipc`, each in a sandbox of its own if the settings say so.
///
/// Each run has a folder below the settings' root, a gateway socket, one process for the agent and one for each executor
/// of commands. All of them end with the run, and when this program dies. [`shutdown`](Self::shutdown) ends everything
/// and waits; dropping only kills.
pub struct LocalExecutor {
    shared: Arc<Shared>,
}

/// What the parts of an executor share.
pub(super) struct Shared {
    pub(super) settings: LocalSettings,
    pub(super) gateway: Arc<dyn RunGateway>,
    pub(super) approver: Arc<dyn LocalApprover>,
    pub(super) events: Arc<dyn LocalEvents>,
    memories: Option<Arc<dyn MemoryStore>>,
    /// What keeps runs apart, once it is known.
    walls: OnceCell<Walls>,
    runs: Mutex<HashMap<RunUid, Arc<LocalRun>>>,
    /// Counts changes of any run, so that waiting for one needs no list of waiters.
    changes: watch::Sender<u64>,
}

struct LocalRun {
    stops: Stops,
    seen: Mutex<Observed>,
    /// Held while the run is started or removed.
    work: Arc<tokio::sync::Mutex<Work>>,
}

#[derive(Default)]
struct Work {
    place: Option<Place>,
    task: Option<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The memory that the run starts with, when it has one.
    pub(super) async fn memory_of(&self, plan: &RunPlan) -> Result<Option<String>, ExecError> {
        let (Some(_), Some(store)) = (plan.memory, &self.memories) else {
            return Ok(None);
        };
        let loaded = store.load(&plan.instance).await;
        let loaded = loaded.map_err(|error| ExecError::Failed {
            step: format!("load the memory of {}", plan.instance),
            source: error.into(),
        })?;
        Ok(loaded.map(|memory| memory.text))
    }

    /// What keeps the runs apart; none when nothing is asked to. Looks once, and again after a refusal.
    pub(super) async fn walls(&self) -> Result<Option<Walls>, ExecError> {
        match self.settings.isolation {
            LocalIsolation::None => Ok(None),
            LocalIsolation::Full => self
                .walls
                .get_or_try_init(|| look(&self.settings))
                .await
                .cloned()
                .map(Some),
        }
    }

    fn run(&self, run: RunUid) -> Option<Arc<LocalRun>> {
        locked(&self.runs).get(&run).cloned()
    }

    fn entry(&self, run: RunUid) -> Arc<LocalRun> {
        let mut runs = locked(&self.runs);
        let entry = runs.entry(run).or_insert_with(|| {
            Arc::new(LocalRun {
                stops: Stops::default(),
                seen: Mutex::new(Observed::Nothing),
                work: Arc::default(),
            })
        });
        Arc::clone(entry)
    }

    fn show(&self, run: &LocalRun, seen: Observed) {
        *locked(&run.seen) = seen;
        self.changes.send_modify(|count| *count += 1);
    }
}

/// Looks whether a sandbox can be made here, on a thread that may wait.
async fn look(settings: &LocalSettings) -> Result<Walls, ExecError> {
    let settings = settings.clone();
    let found = tokio::task::spawn_blocking(move || probe(&settings)).await;
    let found = found.map_err(|error| ExecError::Failed {
        step: "look whether a sandbox can be made".to_owned(),
        source: error.into(),
    })?;
    found.map_err(|source| ExecError::NoSandbox {
        source: source.into(),
    })
}

impl LocalExecutor {
    /// An executor that opens gateways there. Nobody answers questions, nobody is told what happens, no memory is loaded.
    pub fn new(settings: LocalSettings, gateway: Arc<dyn RunGateway>) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                gateway,
                approver: Arc::new(NobodyAnswers),
                events: Arc::new(()),
                memories: None,
                walls: OnceCell::new(),
                runs: Mutex::default(),
                changes: watch::Sender::new(0),
            }),
        }
    }

    /// Asks that person.
    #[must_use]
    pub fn approver(self, approver: Arc<dyn LocalApprover>) -> Self {
        self.with(|shared| shared.approver = approver)
    }

    /// Tells what happens.
    #[must_use]
    pub fn events(self, events: Arc<dyn LocalEvents>) -> Self {
        self.with(|shared| shared.events = events)
    }

    /// Gives runs whose plan has a memory what their instance remembers. Saving is not done here: merge what
    /// [`memory::extract`](crate::memory::extract) finds in the result.
    #[must_use]
    pub fn memories(self, memories: Arc<dyn MemoryStore>) -> Self {
        self.with(|shared| shared.memories = Some(memories))
    }

    /// Trusts that this is what [`probe`](super::probe) has found for the same settings; otherwise the first run looks.
    #[must_use]
    pub fn walls(self, walls: Walls) -> Self {
        self.with(|shared| shared.walls = OnceCell::new_with(Some(walls)))
    }

    /// Nothing is shared yet while an executor is put together.
    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            change(shared);
        }
        self
    }

    /// Ends a run at once, without asking its agent, and waits for its end. Nothing happens if it has ended.
    pub async fn kill(&self, run: RunUid) {
        if let Some(found) = self.shared.run(run) {
            found.stops.kill.cancel();
            join(&mut found.work.lock().await.task).await;
        }
    }

    /// Kills and removes all runs, and waits until everything has ended.
    pub async fn shutdown(&self) -> Result<(), ExecError> {
        let all: Vec<RunUid> = locked(&self.shared.runs).keys().copied().collect();
        for run in &all {
            if let Some(found) = self.shared.run(*run) {
                found.stops.kill.cancel();
            }
        }
        for run in all {
            self.remove(run).await?;
        }
        Ok(())
    }

    /// Removes what executors that died have left below a root, and ends what they left running. The runs of living ones,
    /// of this process and of others, stay.
    pub fn sweep(root: &Path) -> Result<Swept, ExecError> {
        place::sweep(root).map_err(|error| ExecError::Failed {
            step: format!("sweep {}", root.display()),
            source: error.into(),
        })
    }

    async fn begin(&self, plan: Arc<RunPlan>, run: &Arc<LocalRun>) -> Result<(Place, Started), ExecError> {
        let shared = &self.shared;
        fit::check(&plan, &shared.settings)?;
        let uid = plan.run.uid;
        let place = place_of(&shared.settings.root, uid).await?;
        match start(shared, &plan, &place).await {
            Ok(started) if run.stops.kill.is_cancelled() => {
                Box::pin(started.abort()).await;
                Err(give_up(place, ExecError::NotFound(uid)).await)
            }
            Ok(started) => Ok((place, started)),
            Err(error) => {
                shared.gateway.close(uid).await;
                Err(give_up(place, error).await)
            }
        }
    }
}

/// Makes a run's folder, on a thread that may wait: somebody else may be sweeping.
async fn place_of(root: &Path, run: RunUid) -> Result<Place, ExecError> {
    let root = root.to_owned();
    let made = tokio::task::spawn_blocking(move || Place::make(&root, run)).await;
    let made = made.unwrap_or_else(|error| Err(error.into()));
    made.map_err(|error| failed("make the folder", run, error))
}

/// Removes a run's folder, on a thread that may wait: agents may have made many files.
async fn remove(place: Place) -> io::Result<()> {
    let removed = tokio::task::spawn_blocking(|| place.remove()).await;
    removed.unwrap_or_else(|error| Err(error.into()))
}

/// What could not be started leaves nothing; the first error is the one that matters.
async fn give_up(place: Place, error: ExecError) -> ExecError {
    let _ = remove(place).await;
    error
}

async fn join(task: &mut Option<JoinHandle<()>>) {
    if let Some(task) = task.take() {
        // A panic in it was reported where it happened.
        let _ = task.await;
    }
}

#[async_trait]
impl RunExecutor for LocalExecutor {
    async fn ensure(&self, plan: &RunPlan) -> Result<(), ExecError> {
        let uid = plan.run.uid;
        let (run, mut work) = loop {
            let run = self.shared.entry(uid);
            let work = Arc::clone(&run.work).lock_owned().await;
            // While its turn was waited for, the run may have been removed.
            if self
                .shared
                .run(uid)
                .is_some_and(|current| Arc::ptr_eq(&current, &run))
            {
                break (run, work);
            }
        };
        if work.place.is_some() {
            return Ok(());
        }
        self.shared.show(&run, Observed::Starting);
        // Boxed: it is far larger than what else this future holds.
        match Box::pin(self.begin(Arc::new(plan.clone()), &run)).await {
            Ok((place, started)) => {
                work.place = Some(place);
                let since = Timestamp::now();
                self.shared.show(&run, Observed::Running { since });
                let (shared, watched) = (Arc::clone(&self.shared), Arc::clone(&run));
                work.task = Some(tokio::spawn(async move {
                    let finished = Box::pin(started.finish(&watched.stops));
                    let End { exit_code, result } = finished.await;
                    let at = Timestamp::now();
                    shared.show(
                        &watched,
                        Observed::Finished {
                            exit_code,
                            result,
                            at,
                        },
                    );
                }));
                Ok(())
            }
            Err(error) => {
                locked(&self.shared.runs).remove(&uid);
                self.shared.show(&run, Observed::Nothing);
                Err(error)
            }
        }
    }

    async fn observe(&self, run: RunUid) -> Result<Observed, ExecError> {
        Ok(self
            .shared
            .run(run)
            .map_or(Observed::Nothing, |run| locked(&run.seen).clone()))
    }

    async fn changed(&self, run: RunUid, last: &Observed) -> Result<Observed, ExecError> {
        let mut changes = self.shared.changes.subscribe();
        loop {
            let seen = self.observe(run).await?;
            if seen != *last {
                return Ok(seen);
            }
            // The sender lives as long as this executor.
            let _ = changes.changed().await;
        }
    }

    async fn cancel(&self, run: RunUid) -> Result<(), ExecError> {
        if let Some(run) = self.shared.run(run) {
            run.stops.ask.cancel();
        }
        Ok(())
    }

    /// A run that has not ended is killed first.
    async fn remove(&self, run: RunUid) -> Result<(), ExecError> {
        let Some(found) = self.shared.run(run) else {
            return Ok(());
        };
        found.stops.kill.cancel();
        let mut work = found.work.lock().await;
        join(&mut work.task).await;
        let removed = match work.place.take() {
            None => Ok(()),
            Some(place) => remove(place).await,
        };
        locked(&self.shared.runs).remove(&run);
        self.shared.show(&found, Observed::Nothing);
        removed.map_err(|error| failed("remove the folder", run, error))
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        for run in locked(&self.shared.runs).values() {
            run.stops.kill.cancel();
        }
    }
}

impl fmt::Debug for LocalExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalExecutor")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
