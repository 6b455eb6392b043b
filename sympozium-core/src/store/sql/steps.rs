//! [`StepLog`] in SQL.

use super::connection::{Row, args};
use super::{SqlStore, json};
use crate::ids::{RunUid, StepId};
use crate::store::steps::{lost_step, no_step, other_answer};
use crate::store::{Begin, StepClaim, StepKey, StepLog, StepRecord, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// How often to look again when a step is given up just while it is looked at.
const ATTEMPTS: usize = 5;

#[async_trait]
impl StepLog for SqlStore {
    async fn begin(&self, claim: &StepClaim) -> Result<Begin, StoreError> {
        for _ in 0..ATTEMPTS {
            if let Some(begin) = self.try_begin(claim).await? {
                return Ok(begin);
            }
        }
        Err(StoreError::Conflict {
            step: "begin a step",
            detail: format!("step {} is begun and given up all the time", claim.key.step),
        })
    }

    async fn finish(
        &self,
        key: &StepKey,
        owner: Uuid,
        answer: &Value,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let text = json::to_text("finish a step", answer)?;
        let changed = self
            .database
            .execute(
                "finish a step",
                "UPDATE steps SET answer = $4, finished_at = $5 \
                 WHERE run = $1 AND step = $2 AND owner = $3 AND answer IS NULL",
                args![key.run.0, key.step.as_str(), owner, text, now.as_microsecond()],
            )
            .await?;
        if changed == 1 {
            return Ok(());
        }
        let row = self
            .database
            .fetch(
                "finish a step",
                "SELECT answer FROM steps WHERE run = $1 AND step = $2",
                args![key.run.0, key.step.as_str()],
            )
            .await?
            .pop()
            .ok_or_else(|| no_step(key))?;
        match stored_answer(key, row.opt_text(0)?)? {
            Some(there) if there == *answer => Ok(()),
            Some(_) => Err(other_answer(key)),
            None => Err(lost_step(key)),
        }
    }

    async fn abandon(&self, key: &StepKey, owner: Uuid) -> Result<(), StoreError> {
        self.database
            .execute(
                "abandon a step",
                "DELETE FROM steps WHERE run = $1 AND step = $2 AND owner = $3 AND answer IS NULL",
                args![key.run.0, key.step.as_str(), owner],
            )
            .await
            .map(drop)
    }

    async fn steps(&self, run: RunUid) -> Result<Vec<StepRecord>, StoreError> {
        let rows = self
            .database
            .fetch(
                "read the steps of a run",
                "SELECT step, begun_at, answer FROM steps WHERE run = $1 ORDER BY place, begun_at, step",
                args![run.0],
            )
            .await?;
        rows.iter().map(|row| record(run, row)).collect()
    }
}

impl SqlStore {
    /// One attempt; `None` when the step was given up while it was looked at.
    async fn try_begin(&self, claim: &StepClaim) -> Result<Option<Begin>, StoreError> {
        const STEP: &str = "begin a step";
        let (run, step) = (claim.key.run.0, claim.key.step.as_str());
        let request = hex::encode(claim.request);
        let (now, lease) = (claim.now.as_microsecond(), claim.lease_until.as_microsecond());
        // Nearly every step is new, and then this statement is all.
        let inserted = self
            .database
            .execute(
                STEP,
                "INSERT INTO steps (run, step, place, request, owner, lease_until, begun_at) \
                 VALUES ($1, $2, (SELECT COALESCE(MAX(place), 0) + 1 FROM steps WHERE run = $1), $3, $4, $5, $6) \
                 ON CONFLICT (run, step) DO NOTHING",
                args![run, step, request.as_str(), claim.owner, lease, now],
            )
            .await?;
        if inserted == 1 {
            return Ok(Some(Begin::New));
        }
        let mut tx = self.database.begin(STEP).await?;
        let taken_over = tx
            .execute(
                "UPDATE steps SET owner = $4, lease_until = $5 \
                 WHERE run = $1 AND step = $2 AND request = $3 AND answer IS NULL AND lease_until <= $6",
                args![run, step, request.as_str(), claim.owner, lease, now],
            )
            .await?;
        if taken_over == 1 {
            tx.commit().await?;
            return Ok(Some(Begin::New));
        }
        let row = tx
            .fetch_optional(
                "SELECT request, owner, lease_until, answer FROM steps WHERE run = $1 AND step = $2",
                args![run, step],
            )
            .await?;
        tx.rollback().await?;
        row.map(|row| known(&claim.key, &request, &row)).transpose()
    }
}

fn known(key: &StepKey, request: &str, row: &Row) -> Result<Begin, StoreError> {
    if row.text(0)? != request {
        return Ok(Begin::Mismatch);
    }
    if let Some(answer) = stored_answer(key, row.opt_text(3)?)? {
        return Ok(Begin::Done(answer));
    }
    Ok(Begin::InFlight {
        owner: row.uuid(1)?,
        lease_until: json::time(row.int(2)?)?,
    })
}

fn stored_answer(key: &StepKey, text: Option<String>) -> Result<Option<Value>, StoreError> {
    text.map(|text| {
        json::from_text(&text, || {
            format!("the answer of step {} of {}", key.step, key.run)
        })
    })
    .transpose()
}

fn record(run: RunUid, row: &Row) -> Result<StepRecord, StoreError> {
    let step = StepId::new(row.text(0)?).map_err(|error| StoreError::Corrupt {
        what: format!("a step of {run}"),
        source: error.into(),
    })?;
    let key = StepKey { run, step };
    Ok(StepRecord {
        answer: stored_answer(&key, row.opt_text(2)?)?,
        key,
        begun_at: json::time(row.int(1)?)?,
    })
}
