//! What is carried, both ways.

use crate::buses::Recorder;
use crate::place::{Place, until};
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use sympozium_core::bus::{Envelope, EventBus, Source, Subject, Topic};
use sympozium_core::ipc::approval_hash;

fn question() -> Value {
    let arguments = json!({"command": "ls"});
    let sha256 = approval_hash(&arguments);
    json!({"id": "q1", "tool": "execute_command", "arguments": arguments, "sha256": sha256, "policy": "p", "rule": "r",
        "target": "sandbox"})
}

/// One file of each kind.
fn one_of_each() -> Vec<(&'static str, Value, Topic)> {
    vec![
        (
            "output/result.json",
            json!({"status": "success", "response": "done"}),
            Topic::AgentRunCompleted,
        ),
        (
            "output/status.json",
            json!({"phase": "thinking"}),
            Topic::AgentStatusUpdate,
        ),
        (
            "output/stream-0.json",
            json!({"type": "text", "content": "a", "index": 0}),
            Topic::AgentStreamChunk,
        ),
        (
            "messages/send-m1.json",
            json!({"channel": "slack", "text": "hi"}),
            Topic::MessageRequest,
        ),
        (
            "spawn/request-s1.json",
            json!({"task": "more"}),
            Topic::AgentSpawnRequest,
        ),
        (
            "schedules/schedule-c1.json",
            json!({"name": "n", "action": "delete"}),
            Topic::ScheduleUpsert,
        ),
        (
            "approvals-out/request-q1.json",
            question(),
            Topic::ToolApprovalRequest,
        ),
        (
            "tools/k8s-ops/record/exec-request-e1.json",
            json!({"id": "e1", "command": "ls"}),
            Topic::ToolExecRequest,
        ),
        (
            "tools/sandbox/record/exec-result-e2.json",
            json!({"id": "e2", "exitCode": 3}),
            Topic::ToolExecResult,
        ),
    ]
}

#[tokio::test]
async fn files_that_were_there_before_and_those_that_come_later_are_sent_and_removed() {
    for before in [true, false] {
        let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
        place.make();
        let working = (!before).then(|| place.start(&bus));
        for (path, value, _) in one_of_each() {
            place.put(path, &value);
        }
        let working = working.unwrap_or_else(|| place.start(&bus));
        until("all are sent", || bus.count() == one_of_each().len()).await;
        assert_eq!(working.end().await.events_lost, 0);
        for (path, value, topic) in one_of_each() {
            let [event]: [Envelope; 1] = bus.of(topic).try_into().unwrap();
            assert_eq!(event.subject.key, place.config.run.to_string(), "{path}");
            for (key, said) in value.as_object().unwrap() {
                assert_eq!(&event.data[key], said, "{path}");
            }
            let stays = matches!(path, "output/result.json" | "output/status.json");
            assert_eq!(place.has(path), stays, "{path}");
        }
        for id in ["m1", "s1", "c1"] {
            let receipt = place.read(&format!("receipts/{id}.json")).await;
            assert_eq!(receipt["status"], "accepted", "{id}");
        }
        assert_eq!(place.termination_message(), "");
    }
}

#[tokio::test]
async fn a_status_is_told_each_time_that_it_changes_and_a_failure_is_told_as_one() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    let working = place.start(&bus);
    for (n, phase) in ["thinking", "tool_use", "thinking"].iter().enumerate() {
        place.put("output/status.json", &json!({"phase": phase}));
        until("the status is told", || {
            bus.of(Topic::AgentStatusUpdate).len() == n + 1
        })
        .await;
    }
    place.put("output/result.json", &json!({"status": "error", "error": "no"}));
    until("the result is told", || bus.of(Topic::AgentRunFailed).len() == 1).await;
    // Of results the first one counts.
    place.put("output/result.json", &json!({"status": "success"}));
    let before = bus.tries();
    until("it is tried", || bus.tries() > before).await;
    working.end().await;
    assert_eq!(
        (
            bus.of(Topic::AgentRunFailed).len(),
            bus.of(Topic::AgentRunCompleted).len()
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn files_that_make_no_sense_are_set_aside_and_whoever_waits_is_told() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    place.make();
    fs::write(place.at("messages/send-a.json"), "{").unwrap();
    place.put("spawn/request-b.json", &json!({"task": 7}));
    place.put("output/stream-0.json", &json!({"type": "song", "index": 0}));
    std::os::unix::fs::symlink("/etc/passwd", place.at("schedules/schedule-c.json")).unwrap();
    rustix_fifo(&place, "approvals-out/request-d.json");
    fs::write(place.at("output/notes.json"), "whatever").unwrap();
    let working = place.start(&bus);
    for (folder, name) in [
        ("messages", "send-a.json"),
        ("spawn", "request-b.json"),
        ("output", "stream-0.json"),
        ("schedules", "schedule-c.json"),
        ("approvals-out", "request-d.json"),
    ] {
        let aside = format!("{folder}/rejected/{name}");
        until(&aside, || {
            place.has(&aside) && place.has(&format!("{aside}.reason"))
        })
        .await;
    }
    for id in ["a", "b", "c"] {
        assert_eq!(
            place.read(&format!("receipts/{id}.json")).await["status"],
            "refused",
            "{id}"
        );
    }
    assert_eq!(working.end().await.events_lost, 0);
    assert_eq!(bus.count(), 0);
    assert!(place.has("output/notes.json"), "what is not ours stays");
}

fn rustix_fifo(place: &Place, path: &str) {
    let made = std::process::Command::new("mkfifo").arg(place.at(path)).status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn a_file_that_is_written_in_pieces_is_waited_for() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    let working = place.start(&bus);
    fs::write(place.at("output/result.json"), r#"{"status": "#).unwrap();
    place.put("output/stream-0.json", &json!({"type": "text", "index": 0}));
    until("the bridge has looked", || bus.count() == 1).await;
    fs::write(place.at("output/result.json"), r#"{"status": "success"}"#).unwrap();
    until("the result is told", || {
        bus.of(Topic::AgentRunCompleted).len() == 1
    })
    .await;
    working.end().await;
    assert!(!place.has("output/rejected"));
}

#[tokio::test]
async fn a_question_with_a_wrong_hash_is_denied_unasked() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    let working = place.start(&bus);
    let mut wrong = question();
    wrong["arguments"] = json!({"command": "rm"});
    place.put("approvals-out/request-q1.json", &wrong);
    assert_eq!(place.read("approvals/q1.json").await["answer"], "denied");
    assert_eq!(place.read("approvals/sandbox/q1.json").await["answer"], "denied");
    working.end().await;
    assert_eq!(bus.count(), 0);
}

async fn say(bus: &Recorder, place: &Place, topic: Topic, id: &str, data: Value) {
    let run = place.config.run.to_string();
    let envelope = Envelope {
        id: id.to_owned(),
        source: Source::Part("router".to_owned()),
        subject: Subject::new(place.config.instance.clone(), topic, run).unwrap(),
        time: jiff::Timestamp::UNIX_EPOCH,
        traceparent: None,
        data,
    };
    bus.inner.publish(envelope).await.unwrap();
}

#[tokio::test]
async fn what_is_sent_to_the_run_reaches_its_folders() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    let working = place.start(&bus);
    // Whatever is published once the reader is there reaches it, so it is waited for by a message that comes back.
    place.put(
        "messages/send-m1.json",
        &json!({"channel": "slack", "text": "hi"}),
    );
    place.read("receipts/m1.json").await;
    say(
        &bus,
        &place,
        Topic::Receipt,
        "e0",
        json!({"id": "m1", "status": "delivered", "detail": "d"}),
    )
    .await;
    until("the receipt is replaced", || {
        let text = fs::read_to_string(place.at("receipts/m1.json")).unwrap_or_default();
        text.contains("delivered")
    })
    .await;
    say(&bus, &place, Topic::AgentFollowup, "e1", json!({"text": "more"})).await;
    assert_eq!(
        place.read("input/followup-e1.json").await,
        json!({"text": "more"})
    );
    let decision = json!({"id": "q", "answer": "approved", "sha256": "h", "target": "k8s-ops"});
    say(&bus, &place, Topic::ToolApprovalResponse, "e2", decision).await;
    assert_eq!(place.read("approvals/q.json").await["answer"], "approved");
    assert_eq!(place.read("approvals/k8s-ops/q.json").await["answer"], "approved");
    assert!(!place.has("approvals/sandbox/q.json"));
    say(
        &bus,
        &place,
        Topic::Receipt,
        "e3",
        json!({"id": "../../x", "status": "delivered"}),
    )
    .await;
    until("what makes no sense is given up", || {
        bus.inner.dead_letters().len() == 1
    })
    .await;
    working.end().await;
}
