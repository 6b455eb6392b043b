//! Gets the lease, keeps it, and gives it back: [`Lead`].

use super::decide::{Move, Seen, decide};
use crate::operator::apply::Applier;
use crate::operator::clock::Clock;
use crate::operator::error::Error;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::error::chain;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How an operator comes to lead.
#[derive(Debug, Clone)]
pub struct LeaseSettings {
    /// The lease's namespace.
    pub namespace: String,
    /// The lease's name.
    pub name: String,
    /// Who we are: no two operators may have one name, such as the pod's.
    pub identity: String,
    /// How long a lease lasts without being renewed. Default: 15 s.
    pub lasts: Duration,
    /// How long a leader tries to renew before it gives up. Must be shorter than `lasts`. Default: 10 s.
    pub renew_within: Duration,
    /// How often a leader renews. Default: 3 s.
    pub every: Duration,
}

impl LeaseSettings {
    /// The lease `sympozium-operator` of a namespace.
    pub fn new(namespace: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: "sympozium-operator".to_owned(),
            identity: identity.into(),
            lasts: Duration::from_secs(15),
            renew_within: Duration::from_secs(10),
            every: Duration::from_secs(3),
        }
    }
}

/// Holds the lease, or wants to.
pub struct Lead {
    settings: LeaseSettings,
    applier: Applier,
    clock: Arc<dyn Clock>,
    seen: Option<Seen>,
}

impl std::fmt::Debug for Lead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lead")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Lead {
    /// Nobody leads yet, as far as we know.
    pub const fn new(settings: LeaseSettings, applier: Applier, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            applier,
            clock,
            seen: None,
        }
    }

    /// Waits until we lead. Cancel by dropping.
    pub async fn acquire(&mut self) {
        loop {
            let pause = match self.step().await {
                Ok(None) => return,
                Ok(Some(pause)) => pause.min(self.settings.every),
                Err(error) => {
                    tracing::debug!(error = chain(&error), "the lease can't be had");
                    self.settings.every
                }
            };
            sleep(pause.max(Duration::from_millis(50))).await;
        }
    }

    /// Keeps the lease until it is lost, or until told to stop.
    pub async fn keep(&mut self, stop: &CancellationToken) {
        let mut held = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(self.settings.every) => {}
            }
            let left = (held + self.settings.renew_within).saturating_duration_since(Instant::now());
            match timeout(left, self.step()).await {
                Ok(Ok(None)) => held = Instant::now(),
                // Somebody else has it.
                Ok(Ok(Some(_))) => return,
                Ok(Err(error)) => tracing::info!(error = chain(&error), "the lease was not renewed"),
                Err(_) => return,
            }
            if held.elapsed() >= self.settings.renew_within {
                return;
            }
        }
    }

    /// Gives the lease back, if we hold it. That it fails costs the next leader some seconds.
    pub async fn release(&mut self) {
        let Some(seen) = self.seen.take() else { return };
        if seen.holder().as_deref() != Some(self.settings.identity.as_str()) {
            return;
        }
        let mut lease = seen.lease;
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        if let Err(error) = self.applier.replace(&lease).await {
            tracing::info!(error = chain(&error), "the lease was not given back");
        }
    }

    /// One look and one move. `None` = we lead; else how long to wait.
    async fn step(&mut self) -> Result<Option<Duration>, Error> {
        let LeaseSettings { namespace, name, .. } = &self.settings;
        // A holder that has its own last answer needs no look: a conflict would tell.
        let ours = self
            .seen
            .as_ref()
            .is_some_and(|seen| seen.holder().as_deref() == Some(&self.settings.identity));
        if !ours {
            let there: Option<Lease> = self.applier.get(namespace, name).await?;
            self.seen = there.map(|lease| Seen::next(self.seen.take(), lease, Instant::now()));
        }
        let identity = &self.settings.identity;
        let next = decide(
            self.seen.as_ref(),
            identity,
            self.settings.lasts,
            self.clock.now(),
            Instant::now(),
        );
        let written = match next {
            Move::Wait(pause) => return Ok(Some(pause)),
            Move::Create(spec) => self.applier.create(&self.lease(spec)).await,
            Move::Write(spec) => {
                let mut lease = self
                    .seen
                    .as_ref()
                    .map(|seen| seen.lease.clone())
                    .unwrap_or_default();
                lease.spec = Some(spec);
                self.applier.replace(&lease).await.map(Some)
            }
        };
        match written {
            Ok(Some(lease)) => {
                self.seen = Some(Seen {
                    lease,
                    since: Instant::now(),
                });
                Ok(None)
            }
            // Somebody was faster: look again.
            Ok(None) => {
                self.seen = None;
                Ok(Some(Duration::ZERO))
            }
            Err(error) => {
                // Perhaps it was our own write, of which we never heard: the next look tells.
                if error.is_conflict() {
                    self.seen = None;
                }
                Err(error)
            }
        }
    }

    fn lease(&self, spec: LeaseSpec) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.namespace = Some(self.settings.namespace.clone());
        lease.metadata.name = Some(self.settings.name.clone());
        lease.spec = Some(spec);
        lease
    }
}
