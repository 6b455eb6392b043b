//! Late, slow, repeated, out of order, given up, restarted: what a bus owes its readers all the same.

use super::super::{fails, fresh_instance, fresh_run, ok, same};
use super::{DEADLINE, Suite, ack, next, reader, silent, subscription};
use crate::bus::{DeadLetter, Envelope, Source, Subscription, Topic};
use crate::error::Classify;
use futures::future::join_all;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The pause between two looks at something that has to happen.
const LOOK: Duration = Duration::from_millis(20);

impl Suite<'_> {
    pub(super) async fn a_reader_sees_nothing_from_before_it_was_there(&self) {
        let run = fresh_run();
        self.say(run, 1).await;
        let mut deliveries = self.subscribe(&subscription(run)).await;
        let said = self.say(run, 2).await;
        let delivery = next(&mut deliveries, "what is published later is delivered").await;
        same(
            &delivery.envelope,
            &said,
            "a reader starts with what comes after its first subscription",
        );
        ack(delivery).await;
    }

    pub(super) async fn a_reader_of_one_instance_sees_no_other(&self) {
        let run = fresh_run();
        let mut deliveries = self
            .subscribe(&Subscription {
                instance: Some(self.instance.clone()),
                ..subscription(run)
            })
            .await;
        let elsewhere = Suite {
            instance: fresh_instance(),
            ..*self
        };
        elsewhere.say(run, 1).await;
        let said = self.say(run, 2).await;
        let delivery = next(&mut deliveries, "the instance's own message is delivered").await;
        same(
            &delivery.envelope,
            &said,
            "a reader of one instance sees no other",
        );
        ack(delivery).await;
    }

    pub(super) async fn a_stranger_may_not_speak(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        let forged = |source| Envelope {
            source,
            ..self.envelope(run, Topic::AgentRunCompleted, 1)
        };
        let namespace = self.instance.namespace.clone();
        for source in [
            Source::Part("somebody".to_owned()),
            Source::Run(namespace, fresh_run()),
        ] {
            fails(
                self.bus.publish(forged(source)).await,
                "refused",
                "only the run that the key names may speak under it",
            );
        }
        silent(&mut deliveries, "what was refused is not delivered").await;
    }

    pub(super) async fn a_late_acknowledgement_counts(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        self.say(run, 1).await;
        let first = next(&mut deliveries, "what was published is delivered").await;
        drop(next(&mut deliveries, "what was not acknowledged comes again").await);
        ack(first).await;
        // Nothing, although the second delivery was not acknowledged.
        for _ in 0..2 {
            silent(&mut deliveries, "what was acknowledged late does not come again").await;
        }
    }

    pub(super) async fn what_waits_for_its_retry_holds_up_nothing(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        let first = self.say(run, 1).await;
        let delivery = next(&mut deliveries, "what was published is delivered").await;
        ok(
            delivery.retry(Duration::from_secs(1)).await,
            "a delivery can be retried later",
        );
        let second = self.say(run, 2).await;
        for (wanted, attempt) in [(second, 1), (first, 2)] {
            let delivery = next(&mut deliveries, "both messages come").await;
            same(
                &(&delivery.envelope, delivery.attempt),
                &(&wanted, attempt),
                "what waits for its retry comes after what did not",
            );
            ack(delivery).await;
        }
    }

    pub(super) async fn a_reader_that_does_not_read_holds_up_nobody(&self) {
        let run = fresh_run();
        let patient = Subscription {
            ack_wait: DEADLINE,
            ..subscription(run)
        };
        let quick = Subscription {
            reader: reader(),
            ..patient.clone()
        };
        let mut slow = self.subscribe(&patient).await;
        let mut quick = self.subscribe(&quick).await;
        let mut wanted = BTreeSet::new();
        for number in 0..100 {
            wanted.insert(self.say(run, number).await.id);
        }
        for deliveries in [&mut quick, &mut slow] {
            let mut found = BTreeSet::new();
            for _ in 0..wanted.len() {
                let delivery = next(deliveries, "each reader gets every message").await;
                found.insert(delivery.envelope.id.clone());
                ack(delivery).await;
            }
            same(&found, &wanted, "a reader loses nothing by reading late");
        }
    }

    pub(super) async fn what_is_said_by_many_at_once_is_stored_once(&self) {
        let run = fresh_run();
        let mut deliveries = self.subscribe(&subscription(run)).await;
        let envelope = self.envelope(run, Topic::AgentRunCompleted, 1);
        join_all((0..8).map(|_| self.publish(&envelope))).await;
        ack(next(&mut deliveries, "what was published is delivered").await).await;
        silent(&mut deliveries, "the same id at the same time is stored once").await;
    }

    pub(super) async fn what_was_given_up_is_kept_with_the_reason(&self) {
        let run = fresh_run();
        let subscription = Subscription {
            max_deliver: 2,
            ..subscription(run)
        };
        let mut deliveries = self.subscribe(&subscription).await;
        let senseless = self.say(run, 1).await;
        let delivery = next(&mut deliveries, "what was published is delivered").await;
        ok(
            delivery.terminate("makes no sense").await,
            "a delivery can be terminated",
        );
        let ignored = self.say(run, 2).await;
        for _ in 0..2 {
            drop(next(&mut deliveries, "what was not acknowledged comes again").await);
        }
        let letter = |envelope, attempts, reason: &str| DeadLetter {
            reader: subscription.reader.clone(),
            envelope,
            attempts,
            reason: reason.to_owned(),
        };
        let wanted = [
            letter(senseless, 1, "makes no sense"),
            letter(ignored, 2, "delivered 2 times and never acknowledged"),
        ];
        let ours = |letter: &DeadLetter| letter.reader == subscription.reader;
        let kept = async {
            loop {
                let letters: Vec<DeadLetter> = self
                    .fixture
                    .dead_letters()
                    .await
                    .into_iter()
                    .filter(ours)
                    .collect();
                if letters.len() >= wanted.len() {
                    break letters;
                }
                sleep(LOOK).await;
            }
        };
        let Ok(found) = timeout(DEADLINE, kept).await else {
            panic!("what was given up is among the dead letters, but was not within {DEADLINE:?}")
        };
        same(
            &found.as_slice(),
            &wanted.as_slice(),
            "dead letters say who gave up what, when and why",
        );
    }

    /// Publishes as a client does: again, with the same id, until it is confirmed.
    async fn insist(&self, envelope: &Envelope) {
        let insisted = async {
            while let Err(error) = self.bus.publish(envelope.clone()).await {
                assert!(
                    error.retry().is_worthwhile(),
                    "an outage is told as one that will pass, but it was: {error}"
                );
                sleep(LOOK).await;
            }
        };
        assert!(
            timeout(DEADLINE, insisted).await.is_ok(),
            "publishing works again after an outage"
        );
    }

    pub(super) async fn a_restart_loses_nothing_and_stores_nothing_twice(&self) {
        let run = fresh_run();
        let patient = Subscription {
            ack_wait: DEADLINE / 2,
            ..subscription(run)
        };
        let mut deliveries = self.subscribe(&patient).await;
        let done = self.say(run, 1).await;
        ack(next(&mut deliveries, "what was published is delivered").await).await;
        let under_way = self.say(run, 2).await;
        let delivery = next(&mut deliveries, "what was published is delivered").await;
        let waiting = self.say(run, 3).await;

        let said_meanwhile = self.envelope(run, Topic::AgentRunCompleted, 4);
        tokio::join!(self.fixture.restart(), self.insist(&said_meanwhile));
        let acknowledged = delivery.ack().await.is_ok();
        for known in [&done, &said_meanwhile] {
            self.insist(known).await;
        }

        // A carrier that is killed may forget the last acknowledgements, so these two may come again.
        let old = [done.id, under_way.id.clone()];
        let mut wanted = BTreeSet::from([waiting.id, said_meanwhile.id]);
        wanted.extend((!acknowledged).then_some(under_way.id));
        while !wanted.is_empty() {
            let delivery = next(&mut deliveries, "the open stream goes on after a restart").await;
            let id = delivery.envelope.id.clone();
            assert!(
                wanted.remove(&id) || old.contains(&id),
                "a restart stores nothing twice, but {:?} came again",
                delivery.envelope
            );
            ack(delivery).await;
        }
    }
}
