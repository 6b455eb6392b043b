//! [`AuditLog`] in SQL.

use super::connection::{Row, args};
use super::{SqlStore, json};
use crate::ids::RunUid;
use crate::store::page::{After, check_limit, cut};
use crate::store::{AuditLog, AuditRecord, Page, StoreError};
use async_trait::async_trait;

#[async_trait]
impl AuditLog for SqlStore {
    async fn append(&self, record: &AuditRecord) -> Result<(), StoreError> {
        const STEP: &str = "append an audit record";
        let mut tx = self.database.begin(STEP).await?;
        // Locks the run's counter, so that entries are numbered in the order in which they become visible.
        let row = tx
            .fetch_optional(
                "INSERT INTO audit_runs (run, entries) VALUES ($1, 1) \
                 ON CONFLICT (run) DO UPDATE SET entries = audit_runs.entries + 1 RETURNING entries",
                args![record.run.0],
            )
            .await?;
        let position = row.map(|row| row.int(0)).transpose()?.unwrap_or(1);
        let inserted = tx
            .execute(
                "INSERT INTO audit_records (run, position, id, recorded_at, kind, detail) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
                args![
                    record.run.0,
                    position,
                    record.id,
                    record.at.as_microsecond(),
                    json::to_text(STEP, &record.kind)?,
                    json::to_text(STEP, &record.detail)?
                ],
            )
            .await?;
        if inserted == 1 {
            tx.commit().await
        } else {
            tx.rollback().await
        }
    }

    async fn read(
        &self,
        run: RunUid,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditRecord>, StoreError> {
        const STEP: &str = "read audit records";
        let limit = check_limit(STEP, limit)?;
        let after = After::parse(STEP, cursor)?;
        let rows = self
            .database
            .fetch(
                STEP,
                "SELECT position, id, recorded_at, kind, detail FROM audit_records \
                 WHERE run = $1 AND position > $2 ORDER BY position LIMIT $3",
                args![run.0, after.0, i64::from(limit) + 1],
            )
            .await?;
        let records = rows
            .iter()
            .map(|row| record(run, row))
            .collect::<Result<Vec<_>, _>>()?;
        let page = cut(records, limit, |(position, _)| After(*position).to_text());
        Ok(Page {
            items: page.items.into_iter().map(|(_, record)| record).collect(),
            next: page.next,
        })
    }
}

/// A record and its position.
fn record(run: RunUid, row: &Row) -> Result<(i64, AuditRecord), StoreError> {
    let id = row.uuid(1)?;
    let what = || format!("audit record {id}");
    let record = AuditRecord {
        id,
        run,
        at: json::time(row.int(2)?)?,
        kind: json::from_text(&row.text(3)?, what)?,
        detail: json::from_text(&row.text(4)?, what)?,
    };
    Ok((row.int(0)?, record))
}
