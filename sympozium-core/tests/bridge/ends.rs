//! What a bridge does when it is told to end.

use crate::buses::Recorder;
use crate::place::{Place, until};
use serde_json::json;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use sympozium_core::ipc::LostEvents;

#[tokio::test]
async fn the_last_files_of_an_agent_are_sent_also_those_that_are_half_written() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    let working = place.start(&bus);
    for n in 0..3000 {
        place.put(
            &format!("output/stream-{n}.json"),
            &json!({"type": "text", "index": n}),
        );
    }
    place.put("output/result.json", &json!({"status": "success"}));
    fs::write(place.at("messages/send-1.json"), "{").unwrap();
    assert_eq!(working.end().await, LostEvents::default());
    assert_eq!(bus.count(), 3001);
    assert!(place.has("messages/rejected/send-1.json"));
}

#[tokio::test]
async fn with_nothing_left_the_end_is_quick() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    let working = place.start(&bus);
    place.put("output/result.json", &json!({"status": "success"}));
    until("the result is sent", || bus.count() == 1).await;
    let begun = Instant::now();
    working.end().await;
    // The goal is 20 ms; a busy machine needs more.
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_can_not_be_sent_in_time_is_named_the_most_important_first() {
    let (mut place, bus) = (Place::new(), Arc::new(Recorder::default()));
    place.config.grace = Duration::from_millis(300);
    bus.down.store(true, Ordering::SeqCst);
    let working = place.start(&bus);
    for n in 0..50 {
        place.put(
            &format!("output/stream-{n}.json"),
            &json!({"type": "text", "index": n}),
        );
    }
    place.put("messages/send-m.json", &json!({"channel": "c", "text": "t"}));
    place.put("output/result.json", &json!({"status": "success"}));
    place.put("output/status.json", &json!({"phase": "thinking"}));
    let lost = working.end().await;
    assert_eq!(lost.events_lost, 52);
    assert_eq!(lost.files[..2], ["output/result.json", "messages/send-m.json"]);
    let message = place.termination_message();
    assert!(message.len() <= 300, "{message}");
    let said = LostEvents::from_message(&message).unwrap();
    assert_eq!(said.events_lost, 52);
    assert!(said.files.len() > 2 && said.files.len() < 20, "{message}");
}

#[tokio::test]
async fn what_is_unsent_is_named_while_there_is_still_time_and_no_more_when_it_was_sent() {
    let (place, bus) = (Place::new(), Arc::new(Recorder::default()));
    bus.down.store(true, Ordering::SeqCst);
    let working = place.start(&bus);
    place.put("output/result.json", &json!({"status": "success"}));
    working.stop.cancel();
    until("it is named", || {
        place.termination_message().contains("result.json")
    })
    .await;
    bus.down.store(false, Ordering::SeqCst);
    assert_eq!(working.end().await.events_lost, 0);
    assert_eq!(place.termination_message(), "");
    assert_eq!(bus.count(), 1);
}
