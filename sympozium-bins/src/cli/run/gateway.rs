//! The gateway of local runs: one listener per run, on a socket in the run's private folder.

use crate::cli::failure::Failure;
use crate::cli::providers::ByRun;
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use sympozium_core::error::{BoxError, chain};
use sympozium_core::ids::RunUid;
use sympozium_core::local::RunGateway;
use sympozium_core::run::RunPlan;
use sympozium_core::store::sql::SqlStore;
use sympozium_llm::gateway::{FetchSettings, Fetcher, Gateway, ListenerAuth, PriceTable, RunSocket, Stores};
use sympozium_llm::http::{AddressRules, GuardedClient};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Serves each run on its own socket.
pub(super) struct LocalGateway {
    gateway: Gateway,
    auth: Arc<ListenerAuth>,
    listeners: Mutex<HashMap<RunUid, Listener>>,
}

struct Listener {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl LocalGateway {
    /// A gateway over these providers and this database.
    pub(super) fn new(providers: ByRun, store: &SqlStore, prices: PriceTable) -> Result<Self, Failure> {
        let auth = Arc::new(ListenerAuth::default());
        let gateway = Gateway::builder()
            .providers(Arc::new(providers))
            .stores(Stores::all(Arc::new(store.clone())))
            .authenticate(auth.clone())
            .prices(prices)
            .fetcher(fetcher()?)
            .build()
            .map_err(|error| Failure::failed(format!("The gateway can't be made: {error}.")))?;
        Ok(Self {
            gateway,
            auth,
            listeners: Mutex::default(),
        })
    }

    /// Ends a run's model calls.
    pub(super) fn end(&self, run: RunUid) {
        self.gateway.end_run(run);
    }

    /// Waits until what was under way has ended.
    pub(super) async fn drain(&self) {
        self.gateway.drain().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunUid, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches public pages only.
pub(in crate::cli) fn fetcher() -> Result<Fetcher, Failure> {
    GuardedClient::new(AddressRules::public_only())
        .and_then(|client| Fetcher::new(&client, FetchSettings::default()))
        .map_err(|error| Failure::failed(format!("Web pages can't be fetched: {}.", chain(&error))))
}

#[async_trait]
impl RunGateway for LocalGateway {
    async fn open(&self, plan: &Arc<RunPlan>, socket: &Path) -> Result<(), BoxError> {
        let run = plan.run.uid;
        let name = run.to_string();
        let socket = RunSocket::bind(socket)?;
        self.auth.register(name.clone(), Arc::clone(plan));
        let cancel = CancellationToken::new();
        let (gateway, stop) = (self.gateway.clone(), cancel.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = gateway.serve_socket(socket, &name, stop).await {
                tracing::error!(run = name, error = chain(&error), "the run's gateway stopped");
            }
        });
        self.lock().insert(run, Listener { cancel, task });
        Ok(())
    }

    async fn close(&self, run: RunUid) {
        let Some(listener) = self.lock().remove(&run) else {
            return;
        };
        self.auth.end(&run.to_string());
        self.gateway.end_run(run);
        listener.cancel.cancel();
        if let Err(error) = listener.task.await {
            tracing::error!(%run, %error, "the run's gateway broke");
        }
    }
}
