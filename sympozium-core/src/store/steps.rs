//! What a run has already done, so that doing it again answers instead of repeating: [`StepLog`].

use super::StoreError;
use crate::ids::{RunUid, StepId};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepKey {
    /// The run.
    pub run: RunUid,
    /// Its step.
    pub step: StepId,
}

/// What [`StepLog::begin`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum Begin {
    /// Nobody did it and nobody is at it: the caller does it, and finishes or abandons it.
    New,
    /// Somebody else is at it, until its lease ends.
    InFlight {
        /// Who, as given to `begin`.
        owner: Uuid,
        /// When the step may be taken over if it is not finished.
        lease_until: Timestamp,
    },
    /// It was done; this is the answer.
    Done(Value),
    /// Another request was made under this step.
    Mismatch,
}

/// A recorded step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which.
    pub key: StepKey,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// The answer, once there is one.
    pub answer: Option<Value>,
}

/// Records steps by `(run, step)` and the SHA-256 of the canonical request.
#[async_trait]
pub trait StepLog: Send + Sync {
    /// Claims a step, or says what is known of it. Atomic. A step in flight whose lease has ended is claimed anew.
    async fn begin(&self, claim: &StepClaim) -> Result<Begin, StoreError>;

    /// Records the answer. Repeating it with the same answer is fine, whoever does it. `Conflict` if another answer
    /// stands there, or if `owner` no longer holds the step: it was taken over, and may since have been given up and
    /// begun again with another request. `NotFound` if nobody holds it.
    async fn finish(
        &self,
        key: &StepKey,
        owner: Uuid,
        answer: &Value,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Gives a step up, so that it can be begun again. Nothing happens if `owner` does not hold it.
    async fn abandon(&self, key: &StepKey, owner: Uuid) -> Result<(), StoreError>;

    /// All steps of a run in the order in which they were begun.
    async fn steps(&self, run: RunUid) -> Result<Vec<StepRecord>, StoreError>;
}

/// The wish to do a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepClaim {
    /// Which step.
    pub key: StepKey,
    /// SHA-256 of the canonical request.
    pub request: [u8; 32],
    /// Who wants to do it (one id per gateway process).
    pub owner: Uuid,
    /// The caller's time.
    pub now: Timestamp,
    /// Until when the claim holds.
    pub lease_until: Timestamp,
}

/// Why a step can't be finished that nobody began.
pub(super) fn no_step(key: &StepKey) -> StoreError {
    StoreError::NotFound {
        what: format!("step {} of run {}", key.step, key.run),
    }
}

/// Why a step can't be finished that has another answer.
pub(super) fn other_answer(key: &StepKey) -> StoreError {
    StoreError::Conflict {
        step: "finish a step",
        detail: format!("step {} of run {} has another answer", key.step, key.run),
    }
}

/// Why a step can't be finished by one who lost it.
pub(super) fn lost_step(key: &StepKey) -> StoreError {
    StoreError::Conflict {
        step: "finish a step",
        detail: format!("step {} of run {} was taken over", key.step, key.run),
    }
}
