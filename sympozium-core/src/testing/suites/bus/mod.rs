//! The suite of [`EventBus`]: what every bus does, here; what it does when something goes wrong, in `hardship`.

mod hardship;

use super::{at, fresh_instance, fresh_run, ok, same, some};
use crate::bus::{BusError, DeadLetter, Delivery, Envelope, EventBus, Source, Subject, Subscription, Topic};
use crate::ids::{InstanceRef, RunUid};
use async_trait::async_trait;
use futures::{FutureExt, StreamExt, future::join_all, stream::BoxStream};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// How long a delivery may stay unacknowledged in this suite.
const ACK_WAIT: Duration = Duration::from_millis(500);
/// How long to wait for what has to come.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long nothing may come, to believe that nothing comes: twice the time after which it would come again.
const SILENCE: Duration = Duration::from_millis(1_200);

/// A bus, and what the suite needs besides.
#[async_trait]
pub trait BusFixture: Send + Sync {
    /// The bus.
    fn bus(&self) -> &dyn EventBus;

    /// Its dead letters, all of them.
    async fn dead_letters(&self) -> Vec<DeadLetter>;

    /// Kills what carries the messages and starts it again. Does nothing when that is the process of the test.
    async fn restart(&self);
}

/// Checks an [`EventBus`]. Needs a tokio runtime with time, and takes some seconds.
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn event_bus(fixture: &dyn BusFixture) {
    let suite = Suite {
        fixture,
        bus: fixture.bus(),
        instance: fresh_instance(),
    };
    // Together, because most of the time is spent in waiting for what must not come.
    join_all([
        suite.what_is_published_is_delivered_in_order().boxed(),
        suite.what_is_not_acknowledged_comes_again().boxed(),
        suite.a_retry_comes_after_its_pause().boxed(),
        suite.what_is_never_acknowledged_is_given_up().boxed(),
        suite.what_is_terminated_does_not_come_again().boxed(),
        suite.a_repeated_id_is_stored_once().boxed(),
        suite.readers_get_only_what_they_asked_for().boxed(),
        suite.streams_of_one_reader_share_the_work().boxed(),
        suite.readers_of_different_names_all_get_everything().boxed(),
        suite.a_reader_that_comes_back_goes_on_where_it_stopped().boxed(),
        suite.a_reader_sees_nothing_from_before_it_was_there().boxed(),
        suite.a_reader_of_one_instance_sees_no_other().boxed(),
        suite.a_stranger_may_not_speak().boxed(),
        suite.a_late_acknowledgement_counts().boxed(),
        suite.what_waits_for_its_retry_holds_up_nothing().boxed(),
        suite.a_reader_that_does_not_read_holds_up_nobody().boxed(),
        suite.what_is_said_by_many_at_once_is_stored_once().boxed(),
        suite.what_was_given_up_is_kept_with_the_reason().boxed(),
    ])
    .await;
    // Alone, because it disturbs all others.
    suite.a_restart_loses_nothing_and_stores_nothing_twice().await;
}

type Deliveries = BoxStream<'static, Result<Delivery, BusError>>;

struct Suite<'a> {
    fixture: &'a dyn BusFixture,
    bus: &'a dyn EventBus,
    instance: InstanceRef,
}

fn reader() -> String {
    format!("suite-{}", Uuid::new_v4().simple())
}

/// A reader of one run's results.
fn subscription(run: RunUid) -> Subscription {
    Subscription {
        reader: reader(),
        topics: vec![Topic::AgentRunCompleted],
        instance: None,
        key: Some(run.to_string()),
        ack_wait: ACK_WAIT,
        max_deliver: 10,
    }
}

async fn next(deliveries: &mut Deliveries, expected: &str) -> Delivery {
    let Ok(next) = tokio::time::timeout(DEADLINE, deliveries.next()).await else {
        panic!("{expected}, but nothing came within {DEADLINE:?}")
    };
    ok(some(next, expected), expected)
}

async fn silent(deliveries: &mut Deliveries, expected: &str) {
    if let Ok(found) = tokio::time::timeout(SILENCE, deliveries.next()).await {
        panic!("{expected}, but there came {found:?}");
    }
}

async fn ack(delivery: Delivery) {
    ok(delivery.ack().await, "a delivery can be acknowledged");
}

impl Suite<'_> {
    fn envelope(&self, run: RunUid, topic: Topic, number: u32) -> Envelope {
        let subject = Subject::new(self.instance.clone(), topic, run.to_string());
        Envelope {
            id: Uuid::new_v4().to_string(),
            source: Source::Run(self.instance.namespace.clone(), run),
            subject: ok(subject, "the suite's subject is valid"),
            time: at(i64::from(number)),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            data: json!({"number": number, "text": "ü"}),
        }
    }

    async fn publish(&self, envelope: &Envelope) {
        ok(
            self.bus.publish(envelope.clone()).await,
            "an envelope can be published",
        );
    }

    /// Publishes a run's result and gives it back.
    async fn say(&self, run: RunUid, number: u32) -> Envelope {
        let envelope = self.envelope(run, Topic::AgentRunCompleted, number);
        self.publish(&envelope).await;
        envelope
    }

    async fn subscribe(&self, subscription: &Subscription) -> Deliveries {
        ok(
            self.bus.subscribe(subscription.clone()).await,
            "a reader can subscribe",
        )
    }

    async fn what_is_published_is_delivered_in_order(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        for number in 0..20 {
            let said = self.say(run, number).await;
            if number == 0 {
                let first = next(&mut deliveries, "what was published is delivered").await;
                same(
                    &(&first.envelope, first.attempt),
                    &(&said, 1),
                    "an envelope comes as it was published",
                );
                ack(first).await;
            }
        }
        for number in 1..20 {
            let delivery = next(&mut deliveries, "what was published is delivered").await;
            same(
                &delivery.envelope.data.get("number"),
                &Some(&json!(number)),
                "envelopes of one subject come in their order",
            );
            ack(delivery).await;
        }
        silent(&mut deliveries, "what was acknowledged does not come again").await;
    }

    async fn what_is_not_acknowledged_comes_again(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        let said = self.say(run, 1).await;
        drop(next(&mut deliveries, "what was published is delivered").await);
        let again = next(&mut deliveries, "what was not acknowledged comes again").await;
        same(
            &(&again.envelope, again.attempt),
            &(&said, 2),
            "a repetition is the same envelope and says so",
        );
        ack(again).await;
        silent(&mut deliveries, "what was acknowledged late does not come again").await;
    }

    async fn a_retry_comes_after_its_pause(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        self.say(run, 1).await;
        let first = next(&mut deliveries, "what was published is delivered").await;
        ok(
            first.retry(Duration::from_secs(2)).await,
            "a delivery can be retried later",
        );
        silent(
            &mut deliveries,
            "a retry waits for its pause, even past the time to acknowledge",
        )
        .await;
        let again = next(&mut deliveries, "a retry comes").await;
        same(&again.attempt, &2, "a retry counts as a delivery");
        ack(again).await;
    }

    async fn what_is_never_acknowledged_is_given_up(&self) {
        let run = fresh_run();
        let subscription = Subscription {
            max_deliver: 2,
            ..subscription(run)
        };
        let mut deliveries = self.subscribe(&subscription).await;
        self.say(run, 1).await;
        for attempt in 1..=2 {
            let delivery = next(&mut deliveries, "what was not acknowledged comes again").await;
            same(&delivery.attempt, &attempt, "deliveries are counted");
        }
        silent(
            &mut deliveries,
            "after `max_deliver` deliveries a message is given up",
        )
        .await;
        self.say(run, 2).await;
        let other = next(&mut deliveries, "what was given up does not block what follows").await;
        same(
            &other.envelope.data.get("number"),
            &Some(&json!(2)),
            "the next message follows",
        );
        ack(other).await;
    }

    async fn what_is_terminated_does_not_come_again(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        self.say(run, 1).await;
        let delivery = next(&mut deliveries, "what was published is delivered").await;
        ok(
            delivery.terminate("makes no sense").await,
            "a delivery can be terminated",
        );
        silent(&mut deliveries, "what was terminated does not come again").await;
    }

    async fn a_repeated_id_is_stored_once(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        let said = self.say(run, 1).await;
        self.publish(&said).await;
        ack(next(&mut deliveries, "what was published is delivered").await).await;
        self.publish(&said).await;
        silent(
            &mut deliveries,
            "an id that was published before is not stored again",
        )
        .await;
    }

    async fn readers_get_only_what_they_asked_for(&self) {
        let (run, other) = (fresh_run(), fresh_run());
        let mut deliveries = self
            .subscribe(&Subscription {
                topics: vec![Topic::AgentRunCompleted, Topic::AgentStatusUpdate],
                ..subscription(run)
            })
            .await;
        self.say(other, 1).await;
        self.publish(&self.envelope(run, Topic::AgentRunFailed, 2)).await;
        let wanted = [
            self.envelope(run, Topic::AgentStatusUpdate, 3),
            self.envelope(run, Topic::AgentRunCompleted, 4),
        ];
        for envelope in &wanted {
            self.publish(envelope).await;
            let delivery = next(&mut deliveries, "every topic that was asked for is delivered").await;
            same(
                &delivery.envelope,
                envelope,
                "only the topics and the key that were asked for are delivered",
            );
            ack(delivery).await;
        }
    }

    async fn streams_of_one_reader_share_the_work(&self) {
        let run = fresh_run();
        let subscription = Subscription {
            ack_wait: DEADLINE,
            ..subscription(run)
        };
        let one = self.subscribe(&subscription).await;
        let two = self.subscribe(&subscription).await;
        let mut both: Deliveries = futures::stream::select(one, two).boxed();
        let mut wanted = BTreeSet::new();
        for number in 0..20 {
            wanted.insert(self.say(run, number).await.id);
        }
        let mut found = BTreeSet::new();
        for _ in 0..20 {
            let delivery = next(&mut both, "one of the streams gets each message").await;
            assert!(
                found.insert(delivery.envelope.id.clone()),
                "streams of one reader do not both get a message"
            );
            ack(delivery).await;
        }
        same(
            &found,
            &wanted,
            "together the streams of one reader get every message",
        );
        silent(&mut both, "streams of one reader do not both get a message").await;
    }

    async fn readers_of_different_names_all_get_everything(&self) {
        let run = fresh_run();
        let mut one = self.subscribe(&subscription(run)).await;
        let mut two = self.subscribe(&subscription(run)).await;
        let said = self.say(run, 1).await;
        for deliveries in [&mut one, &mut two] {
            let delivery = next(deliveries, "every reader gets the message").await;
            same(&delivery.envelope, &said, "every reader gets the same message");
            ack(delivery).await;
        }
    }

    async fn a_reader_that_comes_back_goes_on_where_it_stopped(&self) {
        let run = fresh_run();
        let subscription = subscription(run);
        let mut deliveries = self.subscribe(&subscription).await;
        let wanted = [self.say(run, 1).await, self.say(run, 2).await];
        ack(next(&mut deliveries, "what was published is delivered").await).await;
        drop(deliveries);
        let missed = self.say(run, 3).await;
        let mut deliveries = self.subscribe(&subscription).await;
        let mut left: BTreeSet<String> = BTreeSet::from([missed.id]);
        left.extend(wanted.get(1).map(|second| second.id.clone()));
        while !left.is_empty() {
            let delivery = next(
                &mut deliveries,
                "a reader that comes back gets what came while it was away",
            )
            .await;
            let first = some(wanted.first(), "a message was published");
            assert!(
                delivery.envelope.id != first.id,
                "a reader that comes back does not get what it acknowledged"
            );
            left.remove(&delivery.envelope.id);
            ack(delivery).await;
        }
        silent(&mut deliveries, "a reader that comes back gets everything once").await;
    }
}
