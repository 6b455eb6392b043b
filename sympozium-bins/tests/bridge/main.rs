//! The bridge's program with a real NATS server: killed, cut off, told to end.
//!
//! The tests need `SYMPOZIUM_TEST_NATS`: the path of a `nats-server`. Each starts its own.
#![cfg(all(unix, feature = "bridge"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, in its helpers too"
)]

mod run;

use run::{FILES, Run, until};
use serde_json::json;
use std::time::{Duration, Instant};
use sympozium_core::bus::{Envelope, EventBus, Source, Subject, Topic};

/// Numbers that look random and are the same each time.
fn next(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 40
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_bridge_that_is_killed_again_and_again_on_nats_has_each_effect_once() {
    for mut seed in 1..=3 {
        let run = Run::new().await;
        run.make_folders();
        run.write_files();
        for _ in 0..8 {
            let mut bridge = run.start(&[]);
            tokio::time::sleep(Duration::from_millis(5 + next(&mut seed) % 120)).await;
            bridge.kill();
        }
        let bridge = run.start(&[]);
        until("all are sent", || run.left() == 0).await;
        bridge.end(0);
        run.has_each_event_once().await;
        assert_eq!(run.receipts(), FILES);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn an_outage_on_nats_loses_nothing() {
    let mut run = Run::new().await;
    let bridge = run.start(&[]);
    until("the bridge is there", || run.at("receipts").is_dir()).await;
    run.server.kill();
    run.write_files();
    // Long enough for tries to fail.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(run.left() > 0);
    run.server.restart();
    until("all are sent", || run.left() == 0).await;
    bridge.end(0);
    run.has_each_event_once().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_bridge_that_starts_before_its_bus_on_nats_waits_for_it() {
    let mut run = Run::new().await;
    run.server.kill();
    let bridge = run.start(&[]);
    until("the bridge is there", || run.at("receipts").is_dir()).await;
    run.write_files();
    run.server.restart();
    until("all are sent", || run.left() == 0).await;
    bridge.end(0);
    run.has_each_event_once().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn what_could_not_be_sent_on_nats_is_named_and_told_by_the_code() {
    let mut run = Run::new().await;
    run.server.kill();
    let bridge = run.start(&["--grace-seconds", "1"]);
    until("the bridge is there", || run.at("receipts").is_dir()).await;
    run.put("output/result.json", &json!({"status": "success"}));
    bridge.end(3);
    let said = std::fs::read_to_string(run.at("../termination-log")).unwrap();
    assert_eq!(said, r#"{"eventsLost":1,"files":["output/result.json"]}"#);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn what_is_said_to_a_run_on_nats_reaches_it_and_the_end_is_quick() {
    let run = Run::new().await;
    let bridge = run.start(&[]);
    until("the bridge is there", || run.at("receipts").is_dir()).await;
    let envelope = Envelope {
        id: "e1".to_owned(),
        source: Source::Part("router".to_owned()),
        subject: Subject::new(run.instance.clone(), Topic::AgentFollowup, run.uid.to_string()).unwrap(),
        time: jiff::Timestamp::UNIX_EPOCH,
        traceparent: None,
        data: json!({"text": "more"}),
    };
    run.bus.publish(envelope).await.unwrap();
    until("it is written", || run.at("input/followup-e1.json").exists()).await;
    let text = std::fs::read_to_string(run.at("input/followup-e1.json")).unwrap();
    assert_eq!(text, r#"{"text":"more"}"#);
    let begun = Instant::now();
    bridge.end(0);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
