//! The record of what was decided and done in local runs, as far as this program sees it. The gateway records the rest.

use super::event::Event;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use sympozium_core::error::chain;
use sympozium_core::ids::{RunUid, StepId, derived_id};
use sympozium_core::store::sql::SqlStore;
use sympozium_core::store::{AuditKind, AuditLog, AuditRecord};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Entries that may wait for the database.
const WAITING: usize = 1024;

/// Writes entries in the background, in order.
pub(super) struct Recorder {
    sender: Mutex<Option<mpsc::Sender<AuditRecord>>>,
    writer: JoinHandle<()>,
    next: AtomicU32,
}

impl Recorder {
    /// Begins to write to this database.
    pub(super) fn start(store: SqlStore) -> Self {
        let (sender, mut entries) = mpsc::channel::<AuditRecord>(WAITING);
        let writer = tokio::spawn(async move {
            while let Some(entry) = entries.recv().await {
                if let Err(error) = store.append(&entry).await {
                    tracing::error!(run = %entry.run, error = chain(&error), "an audit entry is lost");
                }
            }
        });
        Self {
            sender: Mutex::new(Some(sender)),
            writer,
            next: AtomicU32::new(0),
        }
    }

    /// Adds what an event says, if it is of a kind that is recorded.
    pub(super) fn add(&self, run: RunUid, event: &Event) {
        let Some((kind, detail)) = entry(event) else {
            return;
        };
        let Ok(step) = StepId::new("cli") else { return };
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let record = AuditRecord {
            id: derived_id(run, &step, index),
            run,
            at: jiff::Timestamp::now(),
            kind,
            detail,
        };
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sender.as_ref().map(|sender| sender.try_send(record));
        if !matches!(sent, Some(Ok(()))) {
            tracing::error!(%run, "an audit entry is lost: the database does not keep up");
        }
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        drop(self.sender.into_inner().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = self.writer.await {
            tracing::error!(%error, "the audit writer broke");
        }
    }
}

/// What is recorded of an event. Arguments and outputs are in the transcript, so they are not repeated here.
fn entry(event: &Event) -> Option<(AuditKind, Value)> {
    match event {
        Event::Run(run) => Some((
            AuditKind::RunStarted,
            json!({
                "name": run.run.name, "instance": run.instance, "provider": run.provider, "model": run.model,
                "policies": run.policies, "isolation": run.isolation, "isolationDetail": run.isolation_detail,
            }),
        )),
        Event::ToolResult(answer) => Some((
            AuditKind::ToolCall,
            json!({
                "call": answer.id, "tool": answer.tool, "verdict": answer.verdict, "isError": answer.is_error,
                "durationMs": answer.duration_ms,
            }),
        )),
        Event::Approval(approval) => Some((
            AuditKind::Approval,
            json!({
                "tool": approval.tool, "arguments": approval.arguments, "policy": approval.policy,
                "rule": approval.rule, "answer": approval.answer, "reason": approval.reason,
            }),
        )),
        Event::Result(ended) => Some((
            AuditKind::RunEnded,
            json!({"phase": ended.phase, "error": ended.error, "exitCode": ended.exit_code}),
        )),
        Event::Text { .. }
        | Event::Thinking { .. }
        | Event::Retry { .. }
        | Event::ToolCall(_)
        | Event::Refused { .. }
        | Event::Fault { .. }
        | Event::Memory(_) => None,
    }
}
