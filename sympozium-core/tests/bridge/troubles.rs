//! A bus that is away, that refuses, or that is slower than an agent; a disk that is full.

use crate::buses::Recorder;
use crate::place::{Place, until};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use sympozium_core::bus::Topic;

#[tokio::test]
async fn an_outage_loses_nothing() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    bus.down.store(true, Ordering::SeqCst);
    let working = place.start(&bus);
    for n in 0..700 {
        place.put(
            &format!("output/stream-{n}.json"),
            &json!({"type": "text", "index": n}),
        );
    }
    place.put("output/result.json", &json!({"status": "success"}));
    until("the bus is asked again and again", || bus.tries() > 1500).await;
    assert_eq!(bus.count(), 0);
    assert!(place.has("output/stream-0.json") && place.has("output/stream-699.json"));
    bus.down.store(false, Ordering::SeqCst);
    until("all are sent", || bus.count() == 701).await;
    assert_eq!(working.end().await.events_lost, 0);
}

#[tokio::test]
async fn while_chunks_are_stuck_work_goes_on() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    place.make();
    bus.down.store(true, Ordering::SeqCst);
    for n in 0..2000 {
        place.put(
            &format!("output/stream-{n}.json"),
            &json!({"type": "text", "index": n}),
        );
    }
    let working = place.start(&bus);
    until("chunks fill their window", || bus.tries() >= 512).await;
    place.put("output/result.json", &json!({"status": "success"}));
    // The result is tried although no chunk got through.
    let run = place.config.run;
    let id = sympozium_core::ids::derived_file_id(run, "output", "result.json", "").to_string();
    until("the result is tried", || bus.tries.lock().unwrap().contains(&id)).await;
    bus.down.store(false, Ordering::SeqCst);
    assert_eq!(working.end().await.events_lost, 0);
    assert_eq!(bus.count(), 2001);
}

#[tokio::test]
async fn what_the_bus_forbids_is_refused_at_once_and_only_that() {
    for (topic, path, value) in [
        (
            Topic::MessageRequest,
            "messages/send-r.json",
            json!({"channel": "c", "text": "t"}),
        ),
        (
            Topic::AgentSpawnRequest,
            "spawn/request-r.json",
            json!({"task": "t"}),
        ),
    ] {
        let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
        *bus.forbidden.lock().unwrap() = Some(topic);
        let working = place.start(&bus);
        place.put(path, &value);
        let receipt = place.read("receipts/r.json").await;
        assert_eq!(receipt["status"], "refused", "{receipt}");
        assert!(
            receipt["detail"].as_str().unwrap().contains("not permitted"),
            "{receipt}"
        );
        until("it is removed", || !place.has(path)).await;
        place.put(
            "schedules/schedule-s.json",
            &json!({"name": "n", "action": "delete"}),
        );
        assert_eq!(place.read("receipts/s.json").await["status"], "accepted");
        assert_eq!(working.end().await.events_lost, 0);
        assert_eq!(bus.tries(), 2, "what is forbidden is not tried again");
    }
}

#[tokio::test]
async fn a_forbidden_question_is_denied_a_chunk_set_aside_and_a_result_named() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    let working = place.start(&bus);
    *bus.forbidden.lock().unwrap() = Some(Topic::ToolApprovalRequest);
    let arguments = json!({});
    let sha256 = sympozium_core::ipc::approval_hash(&arguments);
    let question =
        json!({"id": "q", "tool": "t", "arguments": arguments, "sha256": sha256, "policy": "p", "rule": "r"});
    place.put("approvals-out/request-q.json", &question);
    assert_eq!(place.read("approvals/q.json").await["answer"], "denied");
    *bus.forbidden.lock().unwrap() = Some(Topic::AgentStreamChunk);
    place.put("output/stream-0.json", &json!({"type": "text", "index": 0}));
    until("the chunk is set aside", || {
        place.has("output/rejected/stream-0.json")
    })
    .await;
    *bus.forbidden.lock().unwrap() = Some(Topic::AgentRunCompleted);
    place.put("output/result.json", &json!({"status": "success"}));
    until("the result is tried", || bus.tries() == 3).await;
    let lost = working.end().await;
    assert_eq!(lost.files, ["output/result.json"]);
    assert_eq!(
        place.termination_message(),
        r#"{"eventsLost":1,"files":["output/result.json"]}"#
    );
}

#[tokio::test]
async fn a_flood_is_carried_whole() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    place.make();
    for n in 0..10_000 {
        place.put(
            &format!("output/stream-{n}.json"),
            &json!({"type": "text", "index": n}),
        );
    }
    for n in 0..500 {
        let value = json!({"channel": "c", "text": "t"});
        place.put(&format!("messages/send-{n}.json"), &value);
    }
    let working = place.start(&bus);
    until("all are sent", || bus.count() == 10_500).await;
    assert_eq!(working.end().await.events_lost, 0);
    assert_eq!(bus.tries(), 10_500, "each was sent once");
    assert_eq!(place.at("receipts").read_dir().unwrap().count(), 500);
}

/// Where the small disk is, for the half of the test that has one.
const DISK: &str = "SYMPOZIUM_TEST_SMALL_DISK";

#[test]
fn a_full_disk_costs_no_request_and_no_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=512k small \"$0\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", mount]);
    let mut whole = Command::new("unshare");
    whole.args(["--user", "--map-root-user", "--mount", "true"]);
    if !whole.status().is_ok_and(|status| status.success()) {
        return skipped("no mounts of one's own here");
    }
    let output = command
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["troubles::on_a_full_disk", "--exact", "--nocapture"])
        .env(DISK, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let ran = output.status.success() && said.contains("1 passed");
    assert!(ran, "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[expect(clippy::print_stdout, reason = "whoever reads the test's output has to know")]
fn skipped(why: &str) {
    println!("skipped: {why}");
}

#[tokio::test]
async fn on_a_full_disk() {
    let Some(disk) = std::env::var_os(DISK) else {
        return;
    };
    let (place, bus) = (Place::on(Path::new(&disk)), Arc::new(Recorder::default()));
    place.make();
    let message = |n: usize| place.at(&format!("messages/send-{n}.json"));
    let text = r#"{"channel": "c", "text": "t"}"#;
    let written = (0..10_000)
        .take_while(|n| fs::write(message(*n), text).is_ok())
        .count();
    // The last one has a name and no content.
    fs::remove_file(message(written)).unwrap();
    let full = fs::write(place.at("output/more"), "x").is_err();
    assert!(written > 50 && full, "the disk is full: {written}");
    let working = place.start(&bus);
    let receipts = || fs::read_dir(place.at("receipts")).unwrap().count();
    until("all are answered", || {
        bus.count() == written && receipts() == written
    })
    .await;
    working.end().await;
}
