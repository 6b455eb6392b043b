//! A bus for a test, and events to send over it.

use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::json;
use std::time::Duration;
use sympozium_core::bus::nats::{Credential, NatsBus, NatsSettings, Readers, StreamLimits};
use sympozium_core::bus::{BusError, Delivery, Envelope, Source, Subject, Subscription, Topic};
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use uuid::Uuid;

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const MIB: u64 = 1024 * 1024;

pub(crate) const LIMITS: StreamLimits = StreamLimits {
    work_bytes: 64 * MIB,
    watch_bytes: 16 * MIB,
    dead_bytes: 16 * MIB,
    replicas: 1,
};

pub(crate) fn settings(url: &str) -> NatsSettings {
    NatsSettings {
        servers: url.to_owned(),
        name: "test".to_owned(),
        inbox: Uuid::new_v4().to_string(),
        credential: Credential::Nothing,
        ca_file: None,
        readers: Readers::Own { forget_after: None },
        deadline: Duration::from_secs(5),
    }
}

pub(crate) async fn connect(url: &str) -> NatsBus {
    let bus = NatsBus::connect(settings(url)).await.unwrap();
    bus.ensure_streams(&LIMITS).await.unwrap();
    bus
}

pub(crate) fn envelope(run: RunUid, topic: Topic) -> Envelope {
    let instance = InstanceRef {
        namespace: Namespace::new("team").unwrap(),
        name: InstanceName::new("sre").unwrap(),
    };
    Envelope {
        id: Uuid::new_v4().to_string(),
        source: Source::Run(instance.namespace.clone(), run),
        subject: Subject::new(instance, topic, run.to_string()).unwrap(),
        time: jiff::Timestamp::UNIX_EPOCH,
        traceparent: None,
        data: json!({}),
    }
}

pub(crate) fn subscription(reader: &str, topic: Topic) -> Subscription {
    Subscription {
        reader: reader.to_owned(),
        topics: vec![topic],
        instance: None,
        key: None,
        ack_wait: Duration::from_secs(10),
        max_deliver: 5,
    }
}

pub(crate) type Deliveries = BoxStream<'static, Result<Delivery, BusError>>;

pub(crate) async fn next(deliveries: &mut Deliveries) -> Delivery {
    let next = tokio::time::timeout(DEADLINE, deliveries.next()).await;
    next.expect("a delivery comes in time").unwrap().unwrap()
}
