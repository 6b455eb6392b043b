//! What others write into files below `/ipc`.

use crate::ipc::{
    AgentResult, ApprovalDecision, ApprovalRequest, ExecRequest, ExecResult, FileId, Receipt,
    ScheduleRequest, SendMessage, SpawnRequest, StatusUpdate, StreamChunk, approval_hash, result_from_log,
    result_line,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, path::Path};

/// Whatever is read as a message is written and read back as the same one, ids are single file names, and a result is
/// found again in a log.
///
/// # Panics
/// When that does not hold.
pub fn ipc_messages(data: &[u8]) {
    if let Some(request) = stable::<ExecRequest>(data) {
        is_one_name(&request.id);
        approval_binds(&request);
    }
    if let Some(result) = stable::<ExecResult>(data) {
        is_one_name(&result.id);
    }
    if let Some(receipt) = stable::<Receipt>(data) {
        is_one_name(&receipt.id);
    }
    if let Some(question) = stable::<ApprovalRequest>(data) {
        is_one_name(&question.id);
    }
    if let Some(answer) = stable::<ApprovalDecision>(data) {
        is_one_name(&answer.id);
    }
    stable::<SendMessage>(data);
    stable::<ScheduleRequest>(data);
    stable::<SpawnRequest>(data);
    stable::<StatusUpdate>(data);
    stable::<StreamChunk>(data);
    if let Some(result) = stable::<AgentResult>(data) {
        let log = format!("started\n{}\nended\n", result_line(&result));
        assert_eq!(
            result_from_log(&log).as_ref(),
            Some(&result),
            "a result is lost in its log"
        );
    }
    // A log is text that an agent may have written.
    let _ = result_from_log(&String::from_utf8_lossy(data));
}

/// The message, if there is one; it must survive being written and read.
fn stable<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let message: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&message).unwrap_or_default();
    let again: Option<T> = serde_json::from_slice(&written).ok();
    assert_eq!(
        again.as_ref(),
        Some(&message),
        "a message changed when it was written and read"
    );
    Some(message)
}

fn is_one_name(id: &FileId) {
    let folder = Path::new("/ipc/tools/p");
    let path = folder.join(format!("exec-request-{id}.json"));
    assert_eq!(path.parent(), Some(folder), "an id led out of its folder");
    assert!(!id.as_str().starts_with('.'), "an id hides its file");
}

/// An approval is good for the same command under any id, and for no other command.
fn approval_binds(request: &ExecRequest) {
    let hash = |request: &ExecRequest| approval_hash(&request.approval_form());
    let renamed = ExecRequest {
        id: uuid::Uuid::nil().into(),
        ..request.clone()
    };
    assert_eq!(hash(request), hash(&renamed), "an approval depends on the id");
    let other = ExecRequest {
        command: format!("{} x", request.command),
        ..request.clone()
    };
    assert_ne!(hash(request), hash(&other), "an approval fits another command");
}
