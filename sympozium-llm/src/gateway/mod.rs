//! The model gateway: the one thing that a run may talk to.
//!
//! It holds the providers (and so the keys), decides about model and address at every call, reserves the budget before
//! and settles it after, records each step so that a repetition is answered and not executed, and keeps the transcript.
//! It must not know how runs are made: who is calling comes from [`Authenticate`](sympozium_core::auth::Authenticate), and handlers see a caller's plan.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use sympozium_core::{llm::LlmProvider, store::InMemoryStore};
//! # use sympozium_llm::gateway::{Gateway, ListenerAuth, Stores};
//! # async fn serve(provider: Arc<dyn LlmProvider>) -> Result<(), Box<dyn std::error::Error>> {
//! let runs = Arc::new(ListenerAuth::default());
//! let gateway = Gateway::builder()
//!     .provider(provider.name().clone(), provider)
//!     .stores(Stores::all(Arc::new(InMemoryStore::new())))
//!     .authenticate(runs.clone())
//!     .build()?;
//! gateway.serve_unix("/run/me/gateway.sock".as_ref(), "run-1", Default::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Entry type: [`Gateway`].

mod auth;
mod budget;
mod builder;
mod fetch;
mod keyed;
mod meter;
mod openai;
mod problem;
mod proxy;
mod routes;
mod run_input;
mod runs;
mod server;
mod source;
mod stage;
mod turn;

pub use auth::{ListenerAuth, TokenAuth};
pub use budget::{Price, PriceTable};
pub use builder::{BuildError, Clock, GatewayBuilder, GatewayLimits, Stores, SystemClock};
pub use fetch::{FetchSettings, Fetcher};
pub use keyed::KeyedProviders;
pub use proxy::{ApiServer, Proxy, ProxySettings};
pub use server::{RunSocket, ServeError, ServerTls, TlsSetupError};
pub use source::{ProviderSource, SourceError};
pub use stage::Farewell;

use builder::Parts;
use runs::Runs;
use stage::Course;
use std::{collections::HashMap, sync::Arc};
use sympozium_core::ids::RunUid;
use sympozium_core::store::StepKey;
use tokio_util::task::TaskTracker;
use turn::{Flight, Kept};
use uuid::Uuid;

/// A gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

/// What all handlers share.
struct Inner {
    parts: Parts,
    /// Owner of the steps that this process has begun.
    id: Uuid,
    /// Steps under way in this process, so that a second request joins the first.
    flights: std::sync::Mutex<HashMap<StepKey, Arc<Flight>>>,
    runs: Runs,
    /// Conversations of runs under way.
    kept: Kept,
    /// Owns all turns: they go on when their client goes away.
    turns: TaskTracker,
    /// Owns all tunnels.
    tunnels: TaskTracker,
    /// Whether it serves or leaves.
    course: Course,
}

impl Gateway {
    /// Begins to put a gateway together.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder::default()
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        let inner = Inner {
            parts,
            id: Uuid::new_v4(),
            flights: std::sync::Mutex::default(),
            runs: Runs::default(),
            kept: Kept::default(),
            turns: TaskTracker::new(),
            tunnels: TaskTracker::new(),
            course: Course::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Ends a run here: its turns are cancelled, its tunnels are closed, and nothing more is done for it.
    pub fn end_run(&self, run: RunUid) {
        self.inner.runs.end(run);
        self.inner.kept.forget(run);
    }

    /// Waits until all turns that are under way have ended. Call it after the listeners have stopped.
    pub async fn drain(&self) {
        self.inner.turns.close();
        self.inner.turns.wait().await;
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("id", &self.inner.id)
            .finish_non_exhaustive()
    }
}
