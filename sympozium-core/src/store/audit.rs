//! The append-only record of what was decided and done: [`AuditLog`].

use super::{Page, StoreError};
use crate::ids::RunUid;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// What kind of thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// A run began.
    RunStarted,
    /// A run ended.
    RunEnded,
    /// A policy question was answered.
    Verdict,
    /// A model was called.
    ModelCall,
    /// A tool was called.
    ToolCall,
    /// The web was asked for something.
    Fetch,
    /// A skill was connected to something, or refused.
    Tunnel,
    /// A person approved or denied something.
    Approval,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// Its identity; a repetition is recognised by it.
    pub id: Uuid,
    /// The run.
    pub run: RunUid,
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: AuditKind,
    /// What exactly: a JSON object whose shape depends on the kind. Never a secret.
    pub detail: Value,
}

/// Keeps the record.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds an entry at the end. Repeating it (same id) changes nothing.
    async fn append(&self, record: &AuditRecord) -> Result<(), StoreError>;

    /// A run's entries in the order in which they were added, at most `limit` of them (from 1;
    /// [`MAX_PAGE`](super::MAX_PAGE) at a time). Entries that are added meanwhile come at the end.
    async fn read(
        &self,
        run: RunUid,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditRecord>, StoreError>;
}
