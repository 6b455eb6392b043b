//! What becomes of a file that an agent or an executor has written. Pure.

use super::kind::Kind;
use crate::bus::{Envelope, Source, Subject, SubjectError, Topic};
use crate::ids::{InstanceRef, RunUid, derived_file_id};
use crate::ipc::{
    AgentResult, ApprovalAnswer, ApprovalDecision, ApprovalRequest, ExecRequest, ExecResult, FileId,
    ScheduleRequest, SendMessage, SpawnRequest, StatusUpdate, StreamChunk, approval_hash,
};
use crate::run::ResultStatus;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// The most bytes of an answer or error text that travel in a result's event. The gateway's record has all of it, and the
/// run's status less.
pub(super) const MAX_TEXT: usize = 256 << 10;

/// Whose mailbox it is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) run: RunUid,
    pub(super) instance: InstanceRef,
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
    /// What was read, and when it was written: tells the states of a file apart that keeps its name.
    pub(super) state: (&'a [u8], Option<(i128, i128)>),
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decision {
    /// It is said on the bus; and what is done should the bus refuse it.
    Publish(Event, Refusal),
    /// The question is answered at once.
    Answer(Answer),
    /// It makes no sense.
    Reject(String),
    /// It is not one of ours, and stays.
    Leave,
}

/// What becomes of a file whose event the bus refuses.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    /// Its agent is told.
    Receipt(FileId),
    /// Nobody can be asked, so the answer is no.
    Deny(ApprovalRequest),
    /// Nobody waits for it.
    SetAside,
    /// It stays, and is named as unsent in the end.
    Keep,
}

/// What is said on the bus.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) topic: Topic,
    pub(super) data: Value,
}

/// An answer, and the executor that has to see it too.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) decision: ApprovalDecision,
    pub(super) target: Option<String>,
}

/// Decides.
pub(super) fn decide(kind: &Kind, owner: &Owner, file: &File<'_>) -> Decision {
    if !kind.has(file.name) {
        return Decision::Leave;
    }
    match read(kind, file) {
        Ok(Said::Event(topic, data)) => publish(kind, owner, file, (topic, data), None),
        Ok(Said::Question(question)) => {
            let said = (Topic::ToolApprovalRequest, file.value.clone());
            publish(kind, owner, file, said, Some(question))
        }
        Ok(Said::Answer(answer)) => Decision::Answer(answer),
        Err(reason) => Decision::Reject(reason),
    }
}

fn publish(
    kind: &Kind,
    owner: &Owner,
    file: &File<'_>,
    (topic, data): (Topic, Value),
    question: Option<ApprovalRequest>,
) -> Decision {
    let id = id(kind, owner.run, file);
    let refusal = match (question, kind.receipt(file.name)) {
        (Some(question), _) => Refusal::Deny(question),
        (None, Some(id)) => Refusal::Receipt(id),
        (None, None) if kind.stays() => Refusal::Keep,
        (None, None) => Refusal::SetAside,
    };
    Decision::Publish(Event { id, topic, data }, refusal)
}

/// The event as it is published. Fails only for a run whose names make no subject.
pub(super) fn envelope(owner: &Owner, event: Event, time: Timestamp) -> Result<Envelope, SubjectError> {
    let subject = Subject::new(owner.instance.clone(), event.topic, owner.run.to_string())?;
    Ok(Envelope {
        id: event.id,
        source: Source::Run(owner.instance.namespace.clone(), owner.run),
        subject,
        time,
        traceparent: None,
        data: event.data,
    })
}

/// A denial of a question that nobody can be asked.
pub(super) fn denial(question: &ApprovalRequest, reason: String) -> Answer {
    Answer {
        decision: ApprovalDecision {
            id: question.id.clone(),
            answer: ApprovalAnswer::Denied,
            sha256: question.sha256.clone(),
            reason,
        },
        target: question.target.clone(),
    }
}

enum Said {
    Event(Topic, Value),
    Question(ApprovalRequest),
    Answer(Answer),
}

fn read(kind: &Kind, file: &File<'_>) -> Result<Said, String> {
    let plain = |topic| Said::Event(topic, file.value.clone());
    match kind {
        Kind::Result => {
            let result: AgentResult = understood(file)?;
            let topic = match result.status {
                ResultStatus::Success => Topic::AgentRunCompleted,
                ResultStatus::Error => Topic::AgentRunFailed,
            };
            Ok(Said::Event(topic, shortened(file.value.clone())))
        }
        Kind::Status => understood::<StatusUpdate>(file).map(|_| plain(Topic::AgentStatusUpdate)),
        Kind::Chunk => understood::<StreamChunk>(file).map(|_| plain(Topic::AgentStreamChunk)),
        Kind::Message => requested::<SendMessage>(kind, file).map(|_| plain(Topic::MessageRequest)),
        Kind::Spawn => requested::<SpawnRequest>(kind, file).map(|_| plain(Topic::AgentSpawnRequest)),
        Kind::Schedule => requested::<ScheduleRequest>(kind, file).map(|_| plain(Topic::ScheduleUpsert)),
        Kind::Question => question(kind, file),
        Kind::ExecRequest(pack) => {
            let request: ExecRequest = named(kind, file, |request: &ExecRequest| request.id.as_str())?;
            Ok(Said::Event(Topic::ToolExecRequest, of_target(&request, pack)?))
        }
        Kind::ExecResult(pack) => {
            let result: ExecResult = named(kind, file, |result: &ExecResult| result.id.as_str())?;
            Ok(Said::Event(Topic::ToolExecResult, of_target(&result, pack)?))
        }
    }
}

fn question(kind: &Kind, file: &File<'_>) -> Result<Said, String> {
    let question: ApprovalRequest = named(kind, file, |question: &ApprovalRequest| question.id.as_str())?;
    // A person must be shown the very bytes whose hash the executor will look for.
    if approval_hash(&question.arguments) == question.sha256 {
        return Ok(Said::Question(question));
    }
    let reason = "The hash is not that of the arguments.".to_owned();
    Ok(Said::Answer(denial(&question, reason)))
}

fn understood<T: DeserializeOwned>(file: &File<'_>) -> Result<T, String> {
    // Borrowed, so that nothing is copied that is not kept.
    T::deserialize(file.value).map_err(|error| format!("it can't be understood: {error}"))
}

/// A request whose id is in its name alone.
fn requested<T: DeserializeOwned>(kind: &Kind, file: &File<'_>) -> Result<T, String> {
    if kind.id(file.name).is_none() {
        return Err("the id in its name is not usable".to_owned());
    }
    understood(file)
}

/// A file that holds the id in its name.
fn named<T: DeserializeOwned>(kind: &Kind, file: &File<'_>, id: impl Fn(&T) -> &str) -> Result<T, String> {
    let value: T = understood(file)?;
    if kind
        .id(file.name)
        .is_some_and(|named| named.as_str() == id(&value))
    {
        Ok(value)
    } else {
        Err("it has another name than its id".to_owned())
    }
}

/// What an executor wrote, and which one it was.
fn of_target(value: &impl serde::Serialize, pack: &impl fmt::Display) -> Result<Value, String> {
    let mut value = serde_json::to_value(value).map_err(|error| error.to_string())?;
    if let Some(object) = value.as_object_mut() {
        object.insert("target".to_owned(), json!(pack.to_string()));
    }
    Ok(value)
}

fn shortened(mut result: Value) -> Value {
    for field in ["response", "error"] {
        if let Some(Value::String(text)) = result.get_mut(field) {
            cut(text);
        }
    }
    result
}

fn cut(text: &mut String) {
    let whole = text.len();
    if whole <= MAX_TEXT {
        return;
    }
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    let left = whole - text.len();
    text.push_str(&format!("\n[{left} more bytes are in the run's record]"));
}

fn id(kind: &Kind, run: RunUid, file: &File<'_>) -> String {
    let state = match kind {
        Kind::Status => {
            let (bytes, written) = file.state;
            format!("{written:?} {}", hex::encode(Sha256::digest(bytes)))
        }
        // Of results the first one counts; all others have names of their own.
        Kind::Result
        | Kind::Chunk
        | Kind::Message
        | Kind::Spawn
        | Kind::Schedule
        | Kind::Question
        | Kind::ExecRequest(_)
        | Kind::ExecResult(_) => String::new(),
    };
    derived_file_id(run, &kind.folder().path(), file.name, &state).to_string()
}
