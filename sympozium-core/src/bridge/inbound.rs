//! What becomes of an event that is meant for a run. Pure.

use super::decide::Owner;
use crate::bus::{Envelope, Source, Topic};
use crate::ids::PackName;
use crate::ipc::{ApprovalDecision, ApprovalResponse, FileId, Receipt};
use serde::Deserialize;
use serde_json::Value;

/// What is written into the mailbox.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Inbound {
    /// `input/followup-<id>.json`.
    Followup(FileId, Value),
    /// `approvals/<id>.json`, and the same for the executor.
    Decision(ApprovalDecision, Option<PackName>),
    /// `receipts/<id>.json`.
    Receipt(Receipt),
}

/// Decides, or says why the event can never be acted on.
pub(super) fn inbound(owner: &Owner, packs: &[PackName], envelope: Envelope) -> Result<Inbound, String> {
    let subject = &envelope.subject;
    if subject.instance != owner.instance || subject.key != owner.run.to_string() {
        return Err(format!("it is for {subject}, which is not this run"));
    }
    // Runs and channels may say much, but nothing to a run.
    match &envelope.source {
        Source::Part(_) => {}
        Source::Run(..) | Source::Channel(..) => {
            return Err(format!("{} may not say that", envelope.source));
        }
    }
    match subject.topic {
        Topic::AgentFollowup => {
            let id = FileId::new(envelope.id).map_err(|error| error.to_string())?;
            Ok(Inbound::Followup(id, envelope.data))
        }
        Topic::ToolApprovalResponse => decision(packs, &envelope.data),
        Topic::Receipt => Ok(Inbound::Receipt(understood(&envelope.data)?)),
        Topic::AgentRunCompleted
        | Topic::AgentRunFailed
        | Topic::AgentStatusUpdate
        | Topic::AgentStreamChunk
        | Topic::AgentSpawnRequest
        | Topic::ToolExecRequest
        | Topic::ToolExecResult
        | Topic::ToolApprovalRequest
        | Topic::MessageRequest
        | Topic::ChannelMessageReceived
        | Topic::ChannelMessageSend
        | Topic::ChannelHealthUpdate
        | Topic::ScheduleUpsert => Err(format!("{} is not for runs", subject.topic)),
    }
}

fn decision(packs: &[PackName], data: &Value) -> Result<Inbound, String> {
    let ApprovalResponse { decision, target } = understood(data)?;
    let Some(target) = target else {
        return Ok(Inbound::Decision(decision, None));
    };
    let pack = packs.iter().find(|pack| pack.as_str() == target);
    let pack = pack.ok_or_else(|| format!("this run has no executor {target:?}"))?;
    Ok(Inbound::Decision(decision, Some(pack.clone())))
}

fn understood<'a, T: Deserialize<'a>>(data: &'a Value) -> Result<T, String> {
    T::deserialize(data).map_err(|error| format!("it can't be understood: {error}"))
}
