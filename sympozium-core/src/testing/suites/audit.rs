//! The suite of [`AuditLog`].

use super::{at, fails, fresh_run, ok, same};
use crate::ids::RunUid;
use crate::store::{AuditKind, AuditLog, AuditRecord};
use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

/// Checks an [`AuditLog`].
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn audit_log(log: &dyn AuditLog) {
    entries_come_back_in_order(log).await;
    a_repeated_entry_is_kept_once(log).await;
    entries_are_read_in_parts_while_more_come(log).await;
    concurrent_entries_are_all_kept(log).await;
    senseless_questions_are_refused(log).await;
}

const KINDS: [AuditKind; 8] = [
    AuditKind::RunStarted,
    AuditKind::Verdict,
    AuditKind::ModelCall,
    AuditKind::ToolCall,
    AuditKind::Fetch,
    AuditKind::Tunnel,
    AuditKind::Approval,
    AuditKind::RunEnded,
];

fn record(run: RunUid, kind: AuditKind, number: i64) -> AuditRecord {
    AuditRecord {
        id: Uuid::new_v4(),
        run,
        // Later entries may be older: the order is that in which they were added.
        at: at(-number),
        kind,
        detail: json!({"z": number, "a": ["ü\u{0}", 0.1, null], "m": {}}),
    }
}

async fn append(log: &dyn AuditLog, record: &AuditRecord) {
    ok(log.append(record).await, "an entry can be appended");
}

async fn read(
    log: &dyn AuditLog,
    run: RunUid,
    limit: u32,
    mut between: Option<AuditRecord>,
) -> Vec<AuditRecord> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..200 {
        let page = ok(
            log.read(run, cursor.as_deref(), limit).await,
            "entries can be read",
        );
        assert!(
            page.items.len() <= limit as usize,
            "a part has at most `limit` entries"
        );
        found.extend(page.items);
        if let Some(record) = between.take() {
            append(log, &record).await;
        }
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
    panic!("a list has an end");
}

async fn entries_come_back_in_order(log: &dyn AuditLog) {
    let (run, other) = (fresh_run(), fresh_run());
    let records: Vec<AuditRecord> = (0..).zip(KINDS).map(|(i, kind)| record(run, kind, i)).collect();
    for entry in &records {
        append(log, entry).await;
        append(log, &record(other, AuditKind::Fetch, 0)).await;
    }
    same(
        &read(log, run, 1000, None).await,
        &records,
        "a run's entries come back as they were, in the order in which they were added",
    );
    same(
        &read(log, fresh_run(), 10, None).await,
        &vec![],
        "a run without entries has none",
    );
}

async fn a_repeated_entry_is_kept_once(log: &dyn AuditLog) {
    let run = fresh_run();
    let records: Vec<AuditRecord> = (0..3).map(|i| record(run, AuditKind::Fetch, i)).collect();
    for record in records.iter().chain(&records) {
        append(log, record).await;
    }
    let changed = records.first().map(|first| AuditRecord {
        detail: json!("changed"),
        ..first.clone()
    });
    if let Some(record) = &changed {
        append(log, record).await;
    }
    same(
        &read(log, run, 1000, None).await,
        &records,
        "a repeated entry is kept once, as it was first",
    );
}

async fn entries_are_read_in_parts_while_more_come(log: &dyn AuditLog) {
    let run = fresh_run();
    let mut records: Vec<AuditRecord> = (0..7).map(|i| record(run, AuditKind::Verdict, i)).collect();
    for record in &records {
        append(log, record).await;
    }
    let more = record(run, AuditKind::RunEnded, 99);
    records.push(more.clone());
    same(
        &read(log, run, 2, Some(more)).await,
        &records,
        "parts put together are the list, without gaps or repetitions",
    );
}

async fn concurrent_entries_are_all_kept(log: &dyn AuditLog) {
    let run = fresh_run();
    let records: Vec<AuditRecord> = (0..30).map(|i| record(run, AuditKind::ToolCall, i)).collect();
    join_all(records.iter().chain(&records).map(|record| append(log, record))).await;
    let mut found: Vec<Uuid> = read(log, run, 4, None).await.iter().map(|r| r.id).collect();
    let mut wanted: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    same(
        &found,
        &wanted,
        "entries added at the same time are all kept, each once",
    );
}

async fn senseless_questions_are_refused(log: &dyn AuditLog) {
    let run = fresh_run();
    fails(log.read(run, None, 0).await, "invalid", "a limit of 0 is refused");
    fails(
        log.read(run, Some("nonsense"), 1).await,
        "invalid",
        "a cursor that no list gave is refused",
    );
}
