//! A store whose database is down.

use crate::ids::{InstanceRef, RunUid, SessionKey};
use crate::memory::{Memory, MemoryStore};
use crate::store::{
    Account, Amount, AuditLog, AuditRecord, Begin, Ledger, Page, Reservation, Reserve, Session,
    SessionFilter, SessionId, SessionStore, StepClaim, StepKey, StepLog, StepRecord, StoreError, Turn,
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// All stores at once, and every call fails with [`StoreError::Unavailable`]: for proving that callers refuse.
#[derive(Debug, Clone, Copy, Default)]
pub struct FailingStore;

fn down<T>(step: &'static str) -> Result<T, StoreError> {
    Err(StoreError::Unavailable {
        step,
        source: "this store always fails".into(),
    })
}

#[async_trait]
impl SessionStore for FailingStore {
    async fn open(&self, _: &InstanceRef, _: &SessionKey, _: Timestamp) -> Result<Session, StoreError> {
        down("open a session")
    }

    async fn append(&self, _: SessionId, _: &[Turn]) -> Result<(), StoreError> {
        down("append turns")
    }

    async fn transcript(&self, _: SessionId, _: Option<&str>, _: u32) -> Result<Page<Turn>, StoreError> {
        down("read a transcript")
    }

    async fn list(&self, _: &SessionFilter, _: Option<&str>, _: u32) -> Result<Page<Session>, StoreError> {
        down("list sessions")
    }

    async fn delete(&self, _: SessionId) -> Result<(), StoreError> {
        down("delete a session")
    }
}

#[async_trait]
impl StepLog for FailingStore {
    async fn begin(&self, _: &StepClaim) -> Result<Begin, StoreError> {
        down("begin a step")
    }

    async fn finish(&self, _: &StepKey, _: Uuid, _: &Value, _: Timestamp) -> Result<(), StoreError> {
        down("finish a step")
    }

    async fn abandon(&self, _: &StepKey, _: Uuid) -> Result<(), StoreError> {
        down("abandon a step")
    }

    async fn steps(&self, _: RunUid) -> Result<Vec<StepRecord>, StoreError> {
        down("read the steps of a run")
    }
}

#[async_trait]
impl Ledger for FailingStore {
    async fn reserve(&self, _: &Reservation, _: Timestamp) -> Result<Reserve, StoreError> {
        down("reserve")
    }

    async fn settle(&self, _: Uuid, _: Amount, _: Timestamp) -> Result<(), StoreError> {
        down("settle")
    }

    async fn held(&self, _: &Account) -> Result<Amount, StoreError> {
        down("read an account")
    }
}

#[async_trait]
impl AuditLog for FailingStore {
    async fn append(&self, _: &AuditRecord) -> Result<(), StoreError> {
        down("append an audit record")
    }

    async fn read(&self, _: RunUid, _: Option<&str>, _: u32) -> Result<Page<AuditRecord>, StoreError> {
        down("read audit records")
    }
}

#[async_trait]
impl MemoryStore for FailingStore {
    async fn load(&self, _: &InstanceRef) -> Result<Option<Memory>, StoreError> {
        down("load a memory")
    }

    async fn save(&self, _: &InstanceRef, _: Memory) -> Result<Memory, StoreError> {
        down("save a memory")
    }

    async fn clear(&self, _: &InstanceRef) -> Result<(), StoreError> {
        down("clear a memory")
    }
}
