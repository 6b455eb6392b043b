//! The bus in memory passes the suite, and keeps what could not be acted on.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use sympozium_core::bus::{
    BusLimits, DeadLetter, Envelope, EventBus, InMemoryBus, Source, Subject, Subscription, Topic,
};
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use sympozium_core::testing::{self, BusFixture};
use uuid::Uuid;

struct InMemory(InMemoryBus);

#[async_trait]
impl BusFixture for InMemory {
    fn bus(&self) -> &dyn EventBus {
        &self.0
    }

    async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.dead_letters()
    }

    async fn restart(&self) {}
}

#[tokio::test]
async fn the_bus_in_memory_keeps_its_contract() {
    testing::event_bus(&InMemory(InMemoryBus::default())).await;
}

fn subscription(max_deliver: u32) -> Subscription {
    Subscription {
        reader: "r".to_owned(),
        topics: vec![Topic::ToolExecRequest],
        instance: None,
        key: None,
        ack_wait: Duration::from_millis(20),
        max_deliver,
    }
}

fn envelope(id: &str) -> Envelope {
    let instance = InstanceRef {
        namespace: Namespace::new("n").unwrap(),
        name: InstanceName::new("i").unwrap(),
    };
    Envelope {
        id: id.to_owned(),
        source: Source::Run(instance.namespace.clone(), RunUid(Uuid::nil())),
        subject: Subject::new(instance, Topic::ToolExecRequest, Uuid::nil().to_string()).unwrap(),
        time: jiff::Timestamp::UNIX_EPOCH,
        traceparent: None,
        data: json!(id),
    }
}

#[tokio::test]
async fn dead_letters_say_who_gave_up_and_why() {
    let bus = InMemoryBus::new(BusLimits::default());
    let mut deliveries = bus.subscribe(subscription(2)).await.unwrap();
    bus.publish(envelope("senseless")).await.unwrap();
    let senseless = deliveries.next().await.unwrap().unwrap();
    senseless.terminate("makes no sense").await.unwrap();
    bus.publish(envelope("ignored")).await.unwrap();
    for _ in 0..2 {
        deliveries.next().await.unwrap().unwrap();
    }
    let letter = |id, attempts, reason: &str| DeadLetter {
        reader: "r".to_owned(),
        envelope: envelope(id),
        attempts,
        reason: reason.to_owned(),
    };
    let wanted = [
        letter("senseless", 1, "makes no sense"),
        letter("ignored", 2, "delivered 2 times and never acknowledged"),
    ];
    // Also without anybody who listens, time goes on.
    drop(deliveries);
    let both = async {
        while bus.dead_letters().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    assert_eq!(bus.dead_letters(), wanted);
}

/// Wakes a thread: all of an executor that the bus needs.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

#[test]
fn the_bus_needs_no_runtime() {
    block_on(async {
        let bus = InMemoryBus::default();
        let mut deliveries = bus.subscribe(subscription(5)).await.unwrap();
        assert!(deliveries.next().now_or_never().is_none());
        bus.publish(envelope("a")).await.unwrap();
        drop(deliveries.next().await.unwrap().unwrap());
        let again = deliveries.next().await.unwrap().unwrap();
        assert_eq!(again.attempt, 2);
        again.ack().await.unwrap();
    });
}
