//! Conversations that go on over several runs: [`SessionStore`].

use super::StoreError;
use crate::chat::{Message, Usage};
use crate::ids::{InstanceRef, InvalidId, RunUid, SessionKey};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The identity of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub Uuid);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        RunUid::from_str(text)
            .map(|uid| Self(uid.0))
            .map_err(|error| InvalidId {
                what: "session id",
                ..error
            })
    }
}

/// A conversation of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its identity.
    pub id: SessionId,
    /// Whose it is.
    pub instance: InstanceRef,
    /// The key that runs name.
    pub key: SessionKey,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When a turn was last added.
    pub updated_at: Timestamp,
    /// Number of turns.
    pub turns: u64,
}

/// One stored message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// The run that it belongs to.
    pub run: RunUid,
    /// Its place within that run, from 0. `(session, run, index)` is unique.
    pub index: u32,
    /// What was said.
    pub message: Message,
    /// What the model call that gave it used; `None` for messages that no model gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// When it was stored.
    pub at: Timestamp,
}

/// Part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Give this back to get the next part; `None` at the end. Opaque.
    pub next: Option<String>,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those of this instance.
    pub instance: Option<InstanceRef>,
    /// Only those with this key.
    pub key: Option<SessionKey>,
    /// Only those in which some message's text contains this, ignoring case.
    pub text: Option<String>,
}

/// Keeps conversations.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The session of that instance and key, made if there is none. Atomic: two callers get the same one.
    async fn open(
        &self,
        instance: &InstanceRef,
        key: &SessionKey,
        now: Timestamp,
    ) -> Result<Session, StoreError>;

    /// Adds turns. A turn that is already there with the same run, index and message is skipped; with another message
    /// it is a [`StoreError::Conflict`] and nothing is added. `NotFound` when there is no such session.
    async fn append(&self, id: SessionId, turns: &[Turn]) -> Result<(), StoreError>;

    /// The turns in the order in which they were added, at most `limit` of them (from 1; [`MAX_PAGE`](super::MAX_PAGE)
    /// at a time). Turns that are added meanwhile come at the end. `NotFound` when there is no such session.
    async fn transcript(
        &self,
        id: SessionId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Turn>, StoreError>;

    /// Sessions, most recently used first, at most `limit` of them (from 1; [`MAX_PAGE`](super::MAX_PAGE) at a time).
    /// One that is used meanwhile moves to the front, and never comes twice.
    async fn list(
        &self,
        filter: &SessionFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, StoreError>;

    /// Removes a session and its turns. `NotFound` when there is none.
    async fn delete(&self, id: SessionId) -> Result<(), StoreError>;
}

/// Why an unknown session can't be used.
pub(super) fn no_session(id: SessionId) -> StoreError {
    StoreError::NotFound {
        what: format!("session {id}"),
    }
}

/// Why a turn can't be added whose place holds another message.
pub(super) fn other_message(turn: &Turn) -> StoreError {
    StoreError::Conflict {
        step: "append turns",
        detail: format!(
            "turn {} of run {} is there with another message",
            turn.index, turn.run
        ),
    }
}
