//! Stores that fail or wait where tests want it.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use sympozium_core::ids::{InstanceRef, RunUid, SessionKey};
use sympozium_core::store::{
    Begin, InMemoryStore, Page, Session, SessionFilter, SessionId, SessionStore, StepClaim, StepKey, StepLog,
    StepRecord, StoreError, Turn,
};
use sympozium_llm::gateway::{Clock, Stores};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// A step log in memory that can't finish `failures` steps, or waits before it finishes one.
pub(crate) struct Steps {
    inner: Arc<InMemoryStore>,
    failures: AtomicU32,
    gate: Option<Semaphore>,
    pub(crate) entered: Semaphore,
}

impl Steps {
    pub(crate) fn failing(inner: Arc<InMemoryStore>, failures: u32) -> Arc<Self> {
        Arc::new(Self {
            inner,
            failures: AtomicU32::new(failures),
            gate: None,
            entered: Semaphore::new(0),
        })
    }

    pub(crate) fn waiting(inner: Arc<InMemoryStore>) -> Arc<Self> {
        let gate = Some(Semaphore::new(0));
        Arc::new(Self {
            inner,
            failures: AtomicU32::new(0),
            gate,
            entered: Semaphore::new(0),
        })
    }

    pub(crate) fn let_on(&self) {
        self.gate.as_ref().unwrap().add_permits(1);
    }

    /// These steps, and the rest of the store that they are in.
    pub(crate) fn with_the_rest(self: &Arc<Self>) -> Stores {
        Stores {
            steps: self.clone(),
            ..Stores::all(Arc::clone(&self.inner))
        }
    }
}

#[async_trait]
impl StepLog for Steps {
    async fn begin(&self, claim: &StepClaim) -> Result<Begin, StoreError> {
        self.inner.begin(claim).await
    }

    async fn finish(
        &self,
        key: &StepKey,
        owner: Uuid,
        answer: &Value,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.entered.add_permits(1);
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let left = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(StoreError::Unavailable {
                step: "finish a step",
                source: "killed".into(),
            });
        }
        self.inner.finish(key, owner, answer, now).await
    }

    async fn abandon(&self, key: &StepKey, owner: Uuid) -> Result<(), StoreError> {
        self.inner.abandon(key, owner).await
    }

    async fn steps(&self, run: RunUid) -> Result<Vec<StepRecord>, StoreError> {
        self.inner.steps(run).await
    }
}

/// A clock that a test moves on.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(0)))
    }

    pub(crate) fn advance(&self, minutes: i64) {
        self.0.fetch_add(minutes, Ordering::SeqCst);
    }
}

/// So that one clock can be given to a gateway and kept.
pub(crate) struct Shared(pub(crate) Arc<TestClock>);

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        let noon: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        noon + SignedDuration::from_mins(self.0.0.load(Ordering::SeqCst))
    }
}

/// Sessions in memory, and how often a transcript was read.
pub(crate) struct ReadSessions {
    inner: Arc<InMemoryStore>,
    reads: AtomicU32,
}

impl ReadSessions {
    pub(crate) fn new(inner: Arc<InMemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            reads: AtomicU32::new(0),
        })
    }

    /// How often a transcript was read since it was asked last.
    pub(crate) fn reads(&self) -> u32 {
        self.reads.swap(0, Ordering::SeqCst)
    }

    /// These sessions, and the rest of the store that they are in.
    pub(crate) fn with_the_rest(self: &Arc<Self>) -> Stores {
        Stores {
            sessions: self.clone(),
            ..Stores::all(Arc::clone(&self.inner))
        }
    }
}

#[async_trait]
impl SessionStore for ReadSessions {
    async fn open(
        &self,
        instance: &InstanceRef,
        key: &SessionKey,
        now: Timestamp,
    ) -> Result<Session, StoreError> {
        self.inner.open(instance, key, now).await
    }

    async fn append(&self, id: SessionId, turns: &[Turn]) -> Result<(), StoreError> {
        SessionStore::append(self.inner.as_ref(), id, turns).await
    }

    async fn transcript(
        &self,
        id: SessionId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Turn>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.transcript(id, cursor, limit).await
    }

    async fn list(
        &self,
        filter: &SessionFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, StoreError> {
        self.inner.list(filter, cursor, limit).await
    }

    async fn delete(&self, id: SessionId) -> Result<(), StoreError> {
        self.inner.delete(id).await
    }
}
