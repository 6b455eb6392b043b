//! Tables of what becomes of files, and of events.

use super::decide::{Decision, File, MAX_TEXT, Owner, Refusal, decide, envelope};
use super::inbound::{Inbound, inbound};
use super::kind::Kind;
use crate::bus::{Envelope, Source, Subject, Topic};
use crate::channel::ChannelKind;
use crate::ids::{InstanceName, InstanceRef, Namespace, PackName, RunUid};
use crate::ipc::{FileId, approval_hash};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

fn pack(name: &str) -> PackName {
    PackName::new(name).unwrap()
}

fn owner() -> Owner {
    Owner {
        run: RunUid(Uuid::from_u128(1)),
        instance: InstanceRef {
            namespace: Namespace::new("team").unwrap(),
            name: InstanceName::new("sre").unwrap(),
        },
    }
}

fn file<'a>(name: &'a str, value: &'a Value) -> File<'a> {
    File {
        name,
        value,
        state: (b"", None),
    }
}

/// What a file becomes, shortly: its topic, the reason why it is set aside, or what else.
fn becomes(kind: &Kind, name: &str, value: &Value) -> String {
    match decide(kind, &owner(), &file(name, value)) {
        Decision::Publish(event, _) => event.topic.to_string(),
        Decision::Answer(answer) => format!("answered {:?}", answer.decision.answer),
        Decision::Reject(reason) => format!("rejected: {reason}"),
        Decision::Leave => "left".to_owned(),
    }
}

fn question(hash: &str) -> Value {
    json!({"id": "1", "tool": "t", "arguments": {"a": 1}, "sha256": hash, "policy": "p", "rule": "r", "target": "x"})
}

fn check(kind: &Kind, name: &str, value: &Value, expected: &str) {
    let found = becomes(kind, name, value);
    assert!(found.starts_with(expected), "{name} {value}: {found}");
}

#[test]
fn each_file_becomes_its_event_and_nothing_else_does() {
    let (request, result) = (Kind::ExecRequest(pack("x")), Kind::ExecResult(pack("x")));
    let right = question(&approval_hash(&json!({"a": 1})));
    for (kind, name, value, expected) in [
        (
            &Kind::Result,
            "result.json",
            json!({"status": "success"}),
            "agent.run.completed",
        ),
        (
            &Kind::Result,
            "result.json",
            json!({"status": "error", "x": 1}),
            "agent.run.failed",
        ),
        (
            &Kind::Result,
            "result.json",
            json!({"status": "fine"}),
            "rejected: it can't be understood",
        ),
        (
            &Kind::Result,
            "result-2.json",
            json!({"status": "success"}),
            "left",
        ),
        (
            &Kind::Status,
            "status.json",
            json!({"phase": "thinking"}),
            "agent.status.update",
        ),
        (
            &Kind::Status,
            "status.json",
            json!({"phase": "idle"}),
            "rejected: ",
        ),
        (
            &Kind::Chunk,
            "stream-0.json",
            json!({"type": "text", "index": 0}),
            "agent.stream.chunk",
        ),
        (&Kind::Chunk, "stream-0.json", json!([]), "rejected: "),
        (
            &Kind::Chunk,
            "stream-.json",
            json!({"type": "text", "index": 0}),
            "left",
        ),
        (
            &Kind::Message,
            "send-1.json",
            json!({"channel": "slack", "text": "a"}),
            "message.request",
        ),
        (&Kind::Message, "send-1.json", json!({"text": "a"}), "rejected: "),
        (
            &Kind::Message,
            "send-a b.json",
            json!({"channel": "c", "text": "a"}),
            "rejected: the id in its name",
        ),
        (
            &Kind::Spawn,
            "request-1.json",
            json!({"task": "a"}),
            "agent.spawn.request",
        ),
        (
            &Kind::Schedule,
            "schedule-1.json",
            json!({"name": "a", "action": "delete"}),
            "schedule.upsert",
        ),
        (
            &Kind::Schedule,
            "schedule-1.json",
            json!({"name": "a", "action": "drop"}),
            "rejected: ",
        ),
        (
            &Kind::Question,
            "request-1.json",
            right.clone(),
            "tool.approval.request",
        ),
        (
            &Kind::Question,
            "request-2.json",
            right,
            "rejected: it has another name",
        ),
        (
            &Kind::Question,
            "request-1.json",
            question("other"),
            "answered Denied",
        ),
        (
            &request,
            "exec-request-1.json",
            json!({"id": "1", "command": "ls"}),
            "tool.exec.request",
        ),
        (
            &request,
            "exec-request-2.json",
            json!({"id": "1", "command": "ls"}),
            "rejected: it has another name",
        ),
        (
            &result,
            "exec-result-1.json",
            json!({"id": "1", "exitCode": 0}),
            "tool.exec.result",
        ),
        (
            &result,
            "exec-result-1.json",
            json!({"id": "../1", "exitCode": 0}),
            "rejected: ",
        ),
    ] {
        check(kind, name, &value, expected);
    }
}

#[test]
fn every_kind_knows_its_own_names_and_its_stream() {
    for kind in Kind::all(&[pack("x")]) {
        let name = match kind {
            Kind::Result => "result.json".to_owned(),
            Kind::Status => "status.json".to_owned(),
            Kind::Chunk
            | Kind::Message
            | Kind::Spawn
            | Kind::Schedule
            | Kind::Question
            | Kind::ExecRequest(_)
            | Kind::ExecResult(_) => format!("{}7.json", kind.prefix()),
        };
        assert!(kind.has(&name), "{name}");
        for other in [".tmp", "7.json", &format!(".{name}"), &format!("{name}.reason")] {
            assert!(!kind.has(other), "{kind:?} {other}");
        }
        assert_eq!(
            kind.receipt(&name).is_some(),
            matches!(kind, Kind::Message | Kind::Spawn | Kind::Schedule)
        );
    }
}

fn event(kind: &Kind, name: &str, value: &Value) -> (super::decide::Event, Refusal) {
    match decide(kind, &owner(), &file(name, value)) {
        Decision::Publish(event, refusal) => (event, refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_says_whose_it_is_and_only_by_what_the_bridge_was_told() {
    let forged = json!({"channel": "c", "text": "t", "source": "/sympozium/router", "run": "other"});
    let (message, refusal) = event(&Kind::Message, "send-1.json", &forged);
    assert_eq!(refusal, Refusal::Receipt(FileId::new("1").unwrap()));
    let envelope = envelope(&owner(), message, Timestamp::UNIX_EPOCH).unwrap();
    let uid = owner().run;
    assert_eq!(
        envelope.subject.to_string(),
        format!("sympozium.w.team.sre.message.request.{uid}")
    );
    assert_eq!(
        envelope.source.to_string(),
        format!("/namespaces/team/runs/{uid}")
    );
    assert_eq!(envelope.data, forged);
}

#[test]
fn what_an_executor_wrote_names_it_whatever_it_says_itself() {
    let forged = json!({"id": "1", "command": "ls", "target": "stronger"});
    let (request, refusal) = event(&Kind::ExecRequest(pack("x")), "exec-request-1.json", &forged);
    assert_eq!(request.data["target"], "x");
    assert_eq!(refusal, Refusal::SetAside);
}

#[test]
fn ids_come_from_run_folder_and_name_and_for_a_status_from_its_state() {
    let chunk = json!({"type": "text", "index": 0});
    let id = |kind: &Kind, name: &str, value: &Value| event(kind, name, value).0.id;
    assert_eq!(
        id(&Kind::Chunk, "stream-0.json", &chunk),
        id(
            &Kind::Chunk,
            "stream-0.json",
            &json!({"type": "text", "index": 9})
        )
    );
    assert_ne!(
        id(&Kind::Chunk, "stream-0.json", &chunk),
        id(&Kind::Chunk, "stream-1.json", &chunk)
    );
    let (request, result) = (Kind::ExecRequest(pack("x")), Kind::ExecRequest(pack("y")));
    let command = json!({"id": "1", "command": "ls"});
    assert_ne!(
        id(&request, "exec-request-1.json", &command),
        id(&result, "exec-request-1.json", &command)
    );
    let value = json!({"phase": "thinking"});
    let status = |bytes, time| {
        let file = File {
            name: "status.json",
            value: &value,
            state: (bytes, Some((time, 0))),
        };
        match decide(&Kind::Status, &owner(), &file) {
            Decision::Publish(event, refusal) => (event.id, refusal),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(status(b"a", 1), status(b"a", 1));
    assert_ne!(status(b"a", 1), status(b"a", 2));
    assert_ne!(status(b"a", 1), status(b"b", 1));
    assert_eq!(status(b"a", 1).1, Refusal::Keep);
}

#[test]
fn a_long_answer_is_shortened_for_its_event_and_says_so() {
    let long = "ü".repeat(MAX_TEXT);
    let value = json!({"status": "error", "response": long, "error": "short"});
    let (result, _) = event(&Kind::Result, "result.json", &value);
    let text = result.data["response"].as_str().unwrap();
    assert!(text.len() < MAX_TEXT + 100, "{}", text.len());
    assert!(
        text.ends_with(&format!("[{} more bytes are in the run's record]", MAX_TEXT)),
        "{}",
        &text[text.len() - 60..]
    );
    assert_eq!(result.data["error"], "short");
}

fn incoming(topic: Topic, id: &str, data: Value) -> Envelope {
    let owner = owner();
    Envelope {
        id: id.to_owned(),
        source: Source::Part("router".to_owned()),
        subject: Subject::new(owner.instance, topic, owner.run.to_string()).unwrap(),
        time: Timestamp::UNIX_EPOCH,
        traceparent: None,
        data,
    }
}

fn take(envelope: Envelope) -> Result<Inbound, String> {
    inbound(&owner(), &[pack("x")], envelope)
}

#[test]
fn what_is_sent_to_a_run_becomes_a_file() {
    let followup = take(incoming(Topic::AgentFollowup, "e1", json!({"text": "more"}))).unwrap();
    assert_eq!(
        followup,
        Inbound::Followup(FileId::new("e1").unwrap(), json!({"text": "more"}))
    );
    let mut data = json!({"id": "q", "answer": "approved", "sha256": "h", "target": "x"});
    let Ok(Inbound::Decision(decision, target)) =
        take(incoming(Topic::ToolApprovalResponse, "e2", data.clone()))
    else {
        panic!("it is a decision");
    };
    assert_eq!((decision.sha256.as_str(), target), ("h", Some(pack("x"))));
    data.as_object_mut().unwrap().remove("target");
    let untargeted = take(incoming(Topic::ToolApprovalResponse, "e2", data));
    assert!(
        matches!(untargeted, Ok(Inbound::Decision(_, None))),
        "{untargeted:?}"
    );
    let receipt = take(incoming(
        Topic::Receipt,
        "e3",
        json!({"id": "1", "status": "delivered"}),
    ));
    assert!(matches!(receipt, Ok(Inbound::Receipt(_))), "{receipt:?}");
}

#[test]
fn what_others_may_not_say_to_a_run_is_refused() {
    let receipt = || incoming(Topic::Receipt, "e", json!({"id": "1", "status": "delivered"}));
    let namespace = || Namespace::new("team").unwrap();
    let by = |source| Envelope { source, ..receipt() };
    let other = |key: &str| Envelope {
        subject: Subject::new(owner().instance, Topic::Receipt, key).unwrap(),
        ..receipt()
    };
    for (envelope, said) in [
        (by(Source::Run(namespace(), owner().run)), "may not say that"),
        (
            by(Source::Channel(namespace(), ChannelKind::Slack)),
            "may not say that",
        ),
        (other(&RunUid::random().to_string()), "not this run"),
        (incoming(Topic::AgentRunCompleted, "e", json!({})), "not for runs"),
        (
            incoming(Topic::Receipt, "e", json!({"id": "../x", "status": "delivered"})),
            "can't be understood",
        ),
        (
            incoming(Topic::Receipt, "e", json!({"id": "x", "status": "lost"})),
            "can't be understood",
        ),
        (
            incoming(Topic::AgentFollowup, "../e", json!({})),
            "not a valid file id",
        ),
        (
            incoming(
                Topic::ToolApprovalResponse,
                "e",
                json!({"id": "q", "answer": "approved", "sha256": "h", "target": "y"}),
            ),
            "no executor",
        ),
    ] {
        let error = take(envelope).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}
