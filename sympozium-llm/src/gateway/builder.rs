//! Putting a gateway together.

use super::fetch::Fetcher;
use super::proxy::Proxy;
use super::source::{ByName, ProviderSource};
use super::{Gateway, PriceTable};
use crate::retry::RetryPolicy;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use sympozium_core::auth::Authenticate;
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::LlmProvider;
use sympozium_core::store::{AuditLog, Ledger, SessionStore, StepLog};

/// The time. Tests bring their own.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Where a gateway keeps what it knows.
#[derive(Clone)]
pub struct Stores {
    /// Conversations.
    pub sessions: Arc<dyn SessionStore>,
    /// Steps.
    pub steps: Arc<dyn StepLog>,
    /// Budgets.
    pub ledger: Arc<dyn Ledger>,
    /// The record.
    pub audit: Arc<dyn AuditLog>,
}

impl Stores {
    /// One store for everything.
    pub fn all<S: SessionStore + StepLog + Ledger + AuditLog + 'static>(store: Arc<S>) -> Self {
        Self {
            sessions: store.clone(),
            steps: store.clone(),
            ledger: store.clone(),
            audit: store,
        }
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

/// Bounds of a gateway.
#[derive(Debug, Clone)]
pub struct GatewayLimits {
    /// The largest request body, in bytes. Default 8 MiB.
    pub max_body: usize,
    /// The largest answer, in bytes of its JSON. Default 8 MiB.
    pub max_answer: usize,
    /// The most output tokens of one turn. Default 32,768.
    pub max_output_tokens: u32,
    /// The output tokens of a turn that does not say. Default 8,192.
    pub default_output_tokens: u32,
    /// How long one turn may take, all attempts together. Default 10 minutes.
    pub turn: Duration,
    /// How long a begun step stays with this process without being finished. Default 15 minutes.
    pub step_lease: Duration,
    /// How many turns may be under way at once. Default 1,024.
    pub max_turns: usize,
    /// How many of them may be of one run. Default 32.
    pub max_turns_per_run: usize,
    /// How many connections one listener holds at once; more wait. Default 512.
    pub max_connections: usize,
    /// How long a client may take to send a request's head, and then its body. Default 30 s each.
    pub receive: Duration,
    /// How long connections may take to end once a listener is stopped. Default 10 s.
    pub drain: Duration,
    /// How often keep-alive comments are sent. Default 10 s.
    pub keep_alive: Duration,
    /// How failed attempts are repeated.
    pub retry: RetryPolicy,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            max_body: 8 << 20,
            max_answer: 8 << 20,
            max_output_tokens: 32_768,
            default_output_tokens: 8_192,
            turn: Duration::from_mins(10),
            step_lease: Duration::from_mins(15),
            max_turns: 1_024,
            max_turns_per_run: 32,
            max_connections: 512,
            receive: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            keep_alive: Duration::from_secs(10),
            retry: RetryPolicy::default(),
        }
    }
}

/// Renders metrics for `GET /metrics`.
pub(crate) type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Everything that a gateway is made of.
pub(crate) struct Parts {
    pub(crate) providers: Arc<dyn ProviderSource>,
    pub(crate) stores: Stores,
    pub(crate) auth: Arc<dyn Authenticate>,
    pub(crate) prices: PriceTable,
    pub(crate) limits: GatewayLimits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fetcher: Option<Fetcher>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) metrics: Option<RenderMetrics>,
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No stores.
    #[error("a gateway needs stores")]
    NoStores,
    /// No way to know callers.
    #[error("a gateway needs a way to authenticate callers")]
    NoAuthentication,
}

/// Builds a [`Gateway`].
#[derive(Default)]
pub struct GatewayBuilder {
    by_name: ByName,
    source: Option<Arc<dyn ProviderSource>>,
    stores: Option<Stores>,
    auth: Option<Arc<dyn Authenticate>>,
    prices: PriceTable,
    limits: GatewayLimits,
    clock: Option<Arc<dyn Clock>>,
    fetcher: Option<Fetcher>,
    proxy: Option<Proxy>,
    metrics: Option<RenderMetrics>,
}

impl GatewayBuilder {
    /// Adds a provider, for the runs whose plan names it.
    #[must_use]
    pub fn provider(mut self, name: ProviderName, provider: Arc<dyn LlmProvider>) -> Self {
        self.by_name.add(name, provider);
        self
    }

    /// Finds providers per run in a way of its own, instead of by name.
    #[must_use]
    pub fn providers(mut self, source: Arc<dyn ProviderSource>) -> Self {
        self.source = Some(source);
        self
    }

    /// Where to keep things. Required.
    #[must_use]
    pub fn stores(mut self, stores: Stores) -> Self {
        self.stores = Some(stores);
        self
    }

    /// How callers are known. Required.
    #[must_use]
    pub fn authenticate(mut self, auth: Arc<dyn Authenticate>) -> Self {
        self.auth = Some(auth);
        self
    }

    /// What models cost. Default: nothing is known, so `usd` budgets refuse.
    #[must_use]
    pub fn prices(mut self, prices: PriceTable) -> Self {
        self.prices = prices;
        self
    }

    /// Bounds.
    #[must_use]
    pub fn limits(mut self, limits: GatewayLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The time. Default: the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Serves `POST /v1/fetch`. Default: it is refused.
    #[must_use]
    pub fn fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// Serves `CONNECT` for skills, on TLS listeners. Default: there is no way out.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Renders `GET /metrics`. Default: there is no such path. Metrics are recorded through the `metrics` facade in any case.
    #[must_use]
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Arc::new(render));
        self
    }

    /// The gateway.
    pub fn build(self) -> Result<Gateway, BuildError> {
        Ok(Gateway::from_parts(Parts {
            providers: self.source.unwrap_or_else(|| Arc::new(self.by_name)),
            stores: self.stores.ok_or(BuildError::NoStores)?,
            auth: self.auth.ok_or(BuildError::NoAuthentication)?,
            prices: self.prices,
            limits: self.limits,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            fetcher: self.fetcher,
            proxy: self.proxy,
            metrics: self.metrics,
        }))
    }
}

impl std::fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
