//! What goes wrong around a bus on NATS, and what its users see of it.

use crate::peer::{DEADLINE, LIMITS, connect, envelope, next, settings, subscription};
use futures::StreamExt;
use serde_json::json;
use std::time::{Duration, Instant};
use sympozium_core::bus::nats::{NatsBus, NatsSettings, Readers, StreamLimits};
use sympozium_core::bus::{DeadLetter, Envelope, EventBus, Source, Subscription, Topic};
use sympozium_core::error::Classify;
use sympozium_core::ids::RunUid;
use sympozium_core::testing::NatsServer;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn forged_and_broken_events_are_counted_and_dropped_on_nats() {
    let server = NatsServer::start("");
    let bus = connect(&server.url()).await;
    let mut deliveries = bus
        .subscribe(subscription("r", Topic::AgentRunCompleted))
        .await
        .unwrap();
    let run = RunUid::random();
    let good = envelope(run, Topic::AgentRunCompleted);
    let stranger = async_nats::connect(server.url()).await.unwrap();
    let subject = good.subject.to_string();
    let forged = [
        serde_json::to_vec(&Envelope {
            source: Source::Part("router".to_owned()),
            ..good.clone()
        })
        .unwrap(),
        serde_json::to_vec(&envelope(RunUid::random(), Topic::AgentRunCompleted)).unwrap(),
        b"not even JSON".to_vec(),
    ];
    let count = forged.len() as u64;
    for payload in forged {
        stranger.publish(subject.clone(), payload.into()).await.unwrap();
    }
    // Whoever names the subject of another as the place for the answer makes the server write there.
    let own = envelope(run, Topic::AgentStatusUpdate);
    let own_payload = serde_json::to_vec(&own).unwrap();
    stranger
        .publish_with_reply(own.subject.to_string(), subject, own_payload.into())
        .await
        .unwrap();
    stranger.flush().await.unwrap();
    bus.publish(good.clone()).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!((&delivery.envelope, delivery.attempt), (&good, 1));
    delivery.ack().await.unwrap();
    let counted = async {
        while bus.malformed() <= count {
            assert!(
                tokio::time::timeout(Duration::from_millis(50), deliveries.next())
                    .await
                    .is_err(),
                "nothing else is delivered"
            );
        }
    };
    tokio::time::timeout(DEADLINE, counted).await.unwrap();
    assert_eq!(bus.malformed(), count + 1);
    assert_eq!(bus.dead_letters(10).await.unwrap(), []);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_refused_subject_fails_at_once_on_nats() {
    let permissions = r#"
        authorization { users [
            { user: pod, password: p, permissions {
                publish: ["sympozium.s.team.sre.agent.status.update.*", "$JS.API.CONSUMER.INFO.sympozium-work.other"],
                subscribe: ["_INBOX.pod.>"] } },
            { user: operator, password: p } ] }"#;
    let server = NatsServer::start(permissions);
    let url = |user: &str| format!("nats://{user}:p@{}", server.address());
    let operator = connect(&url("operator")).await;
    let pod = |inbox: &str| NatsSettings {
        inbox: inbox.to_owned(),
        readers: Readers::Prepared,
        // Long, so that a wait for it would be seen.
        deadline: DEADLINE,
        ..settings(&url("pod"))
    };
    let bus = NatsBus::connect(pod("pod")).await.unwrap();
    let (run, start) = (RunUid::random(), Instant::now());
    bus.publish(envelope(run, Topic::AgentStatusUpdate))
        .await
        .unwrap();
    let error = bus
        .publish(envelope(run, Topic::AgentRunCompleted))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry().is_worthwhile()),
        ("forbidden", false),
        "{error}"
    );
    assert!(error.to_string().contains("agent.run.completed"), "{error}");
    let error = bus
        .subscribe(subscription("r", Topic::Receipt))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), "forbidden", "{error}");
    // The right to look for a reader is no reader.
    let error = bus
        .subscribe(subscription("other", Topic::Receipt))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), "bus-unavailable", "{error}");

    let strange = NatsBus::connect(pod("someone-else")).await.unwrap();
    let error = strange
        .publish(envelope(run, Topic::AgentStatusUpdate))
        .await
        .unwrap_err();
    assert_eq!(
        error.kind(),
        "forbidden",
        "no answer can come to an inbox that is not the pod's: {error}"
    );
    assert!(start.elapsed() < DEADLINE, "a refusal needs no deadline");
    for bus in [operator, bus, strange] {
        bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_full_or_oversized_message_is_told_apart_on_nats() {
    let server = NatsServer::start("max_payload: 65536");
    let bus = NatsBus::connect(settings(&server.url())).await.unwrap();
    let tiny = StreamLimits {
        work_bytes: 100_000,
        ..LIMITS
    };
    bus.ensure_streams(&tiny).await.unwrap();
    let said = |bytes: usize| Envelope {
        data: json!("x".repeat(bytes)),
        ..envelope(RunUid::random(), Topic::AgentRunCompleted)
    };
    assert_eq!(bus.publish(said(70_000)).await.unwrap_err().kind(), "refused");
    bus.publish(said(60_000)).await.unwrap();
    let full = said(60_000);
    let error = bus.publish(full.clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry().is_worthwhile()),
        ("bus-full", true),
        "{error}"
    );
    // Limits are brought up to date, again and again; then what was refused finds its place.
    for _ in 0..2 {
        bus.ensure_streams(&LIMITS).await.unwrap();
    }
    bus.publish(full).await.unwrap();
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn an_outage_is_told_within_the_deadline_and_passes_on_nats() {
    let mut server = NatsServer::start("");
    let bus = connect(&server.url()).await;
    let hasty = NatsBus::connect(NatsSettings {
        deadline: Duration::from_millis(300),
        ..settings(&server.url())
    });
    let hasty = hasty.await.unwrap();
    let said = envelope(RunUid::random(), Topic::AgentRunCompleted);
    let mut deliveries = bus
        .subscribe(subscription("r", Topic::AgentRunCompleted))
        .await
        .unwrap();
    server.kill();
    let error = hasty.publish(said.clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry().is_worthwhile()),
        ("bus-unavailable", true),
        "{error}"
    );
    let error = NatsBus::connect(settings(&server.url())).await.unwrap_err();
    assert_eq!(error.kind(), "bus-unavailable", "{error}");
    server.restart();
    let again = async { while hasty.publish(said.clone()).await.is_err() {} };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.envelope, said);
    delivery.ack().await.unwrap();
    // Closing ends the streams of deliveries, and does not wait for a server that is gone.
    server.kill();
    let closed = async {
        bus.close().await;
        hasty.close().await;
        assert!(deliveries.next().await.is_none());
    };
    tokio::time::timeout(DEADLINE, closed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn readers_are_prepared_listed_and_forgotten_on_nats() {
    let server = NatsServer::start("");
    let operator = connect(&server.url()).await;
    let pod = NatsBus::connect(NatsSettings {
        readers: Readers::Prepared,
        ..settings(&server.url())
    });
    let pod = pod.await.unwrap();
    let wanted = subscription("pod", Topic::AgentStatusUpdate);
    assert_eq!(
        pod.subscribe(wanted.clone()).await.err().unwrap().kind(),
        "bus-unavailable"
    );
    for _ in 0..2 {
        operator.prepare_reader(&wanted).await.unwrap();
    }
    assert_eq!(operator.readers().await.unwrap(), ["pod"]);
    let mut deliveries = pod.subscribe(wanted).await.unwrap();
    let said = envelope(RunUid::random(), Topic::AgentStatusUpdate);
    operator.publish(said.clone()).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.envelope, said);
    delivery.ack().await.unwrap();
    for _ in 0..2 {
        operator.remove_reader("pod").await.unwrap();
    }
    assert_eq!(operator.readers().await.unwrap(), [""; 0]);
    pod.close().await;
    operator.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_lost_acknowledgement_brings_the_event_again_on_nats() {
    let mut server = NatsServer::start("");
    let bus = connect(&server.url()).await;
    let hasty = NatsBus::connect(NatsSettings {
        deadline: Duration::from_millis(300),
        ..settings(&server.url())
    });
    let hasty = hasty.await.unwrap();
    let wanted = Subscription {
        ack_wait: Duration::from_secs(1),
        ..subscription("r", Topic::AgentRunCompleted)
    };
    let mut deliveries = hasty.subscribe(wanted).await.unwrap();
    let said = envelope(RunUid::random(), Topic::AgentRunCompleted);
    bus.publish(said.clone()).await.unwrap();
    let delivery = next(&mut deliveries).await;
    server.kill();
    let error = delivery.ack().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry().is_worthwhile()),
        ("bus-unavailable", true),
        "{error}"
    );
    server.restart();
    // An acknowledgement can be lost too; then it comes once more.
    let settled = async {
        loop {
            let again = next(&mut deliveries).await;
            assert_eq!(again.envelope, said);
            if again.ack().await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, settled).await.unwrap();
    bus.close().await;
    hasty.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn dead_letters_of_a_time_without_a_keeper_are_made_up_for_once_on_nats() {
    let mut server = NatsServer::start("");
    let bus = connect(&server.url()).await;
    let mut deliveries = bus
        .subscribe(subscription("r", Topic::AgentRunCompleted))
        .await
        .unwrap();
    let mut wanted = Vec::new();
    for number in 0..5 {
        let said = envelope(RunUid::random(), Topic::AgentRunCompleted);
        bus.publish(said.clone()).await.unwrap();
        let reason = format!("reason {number}");
        next(&mut deliveries)
            .await
            .terminate(reason.clone())
            .await
            .unwrap();
        wanted.push(DeadLetter {
            reader: "r".to_owned(),
            envelope: said,
            attempts: 1,
            reason,
        });
    }
    assert_eq!(bus.dead_letters(100).await.unwrap(), []);
    server.restart();
    let stop = CancellationToken::new();
    // Two at once, as when one operator takes over from another.
    let keepers = [bus.clone(), bus.clone()].map(|bus| {
        let stop = stop.clone();
        tokio::spawn(async move { bus.keep_dead_letters(&stop).await })
    });
    let kept = async {
        loop {
            match bus.dead_letters(100).await {
                Ok(letters) if letters.len() >= wanted.len() => break letters,
                Ok(_) | Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let mut found = tokio::time::timeout(DEADLINE, kept).await.unwrap();
    found.sort_by(|a, b| a.reason.cmp(&b.reason));
    assert_eq!(found, wanted);
    assert_eq!(bus.dead_letters(2).await.unwrap().len(), 2);
    stop.cancel();
    for keeper in keepers {
        keeper.await.unwrap().unwrap();
    }
    bus.close().await;
}
