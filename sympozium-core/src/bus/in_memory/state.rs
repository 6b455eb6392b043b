//! What happens to messages: who gets them, when they come again, when they are given up. Pure: time is an argument.

use super::limits::BusLimits;
use super::queue::{Message, Queue};
use crate::bus::{BusError, DeadLetter, Envelope, StreamKind, Subscription};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a reader gets when it asks.
#[derive(Debug)]
pub(super) enum Take {
    /// This.
    Message(Message),
    /// Nothing yet; something may come again at `until`.
    Nothing { until: Option<Instant> },
}

#[derive(Debug, Default)]
pub(super) struct State {
    limits: BusLimits,
    readers: BTreeMap<String, Queue>,
    /// The latest ids, in the order in which they came, and again for looking up.
    recent: VecDeque<String>,
    known: HashSet<String>,
    dead: VecDeque<DeadLetter>,
    published: u64,
}

impl State {
    pub(super) fn new(limits: BusLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    pub(super) fn subscribe(&mut self, subscription: Subscription) -> Result<(), BusError> {
        subscription.check()?;
        if let Some(queue) = self.readers.get_mut(&subscription.reader) {
            queue.subscription = subscription;
            return Ok(());
        }
        if self.readers.len() >= self.limits.readers {
            return Err(refused(
                "subscribe",
                format!("there are {} readers", self.limits.readers),
            ));
        }
        let name = subscription.reader.clone();
        self.readers.insert(name, Queue::new(subscription));
        Ok(())
    }

    /// Stores a message for every reader that wants it, or for none.
    pub(super) fn publish(&mut self, envelope: Envelope, now: Instant) -> Result<(), BusError> {
        if let Err(error) = envelope.check_source() {
            return Err(refused("publish", error.to_string()));
        }
        if self.known.contains(&envelope.id) {
            return Ok(());
        }
        self.expire(now);
        let stream = envelope.topic().stream();
        let most = self.limits.unacknowledged;
        let full = |queue: &Queue| queue.wants(&envelope) && queue.unacknowledged(stream) >= most;
        if stream == StreamKind::Work
            && let Some((name, _)) = self.readers.iter().find(|(_, queue)| full(queue))
        {
            let detail = format!("reader {name} has {most} messages that it has not acknowledged");
            return Err(BusError::Full {
                step: "publish",
                detail,
            });
        }
        self.remember(envelope.id.clone());
        self.published = self.published.saturating_add(1);
        let message = Message {
            number: self.published,
            envelope: Arc::new(envelope),
            attempt: 0,
        };
        for queue in self.readers.values_mut().filter(|q| q.wants(&message.envelope)) {
            if queue.unacknowledged(stream) >= most {
                queue.drop_oldest(stream);
            }
            queue.push(message.clone());
        }
        Ok(())
    }

    fn remember(&mut self, id: String) {
        self.known.insert(id.clone());
        self.recent.push_back(id);
        while self.recent.len() > self.limits.remembered_ids {
            if let Some(oldest) = self.recent.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    pub(super) fn take(&mut self, reader: &str, now: Instant) -> Take {
        self.expire(now);
        let Some(queue) = self.readers.get_mut(reader) else {
            return Take::Nothing { until: None };
        };
        queue.take(now).map_or_else(
            || Take::Nothing {
                until: queue.next_due(),
            },
            Take::Message,
        )
    }

    pub(super) fn ack(&mut self, reader: &str, number: u64) {
        if let Some(queue) = self.readers.get_mut(reader) {
            queue.remove(number);
        }
    }

    /// `pause`: the time, and how long after it the message is to come again.
    pub(super) fn retry(&mut self, reader: &str, number: u64, attempt: u32, pause: (Instant, Duration)) {
        let Some(queue) = self.readers.get_mut(reader) else {
            return;
        };
        if queue.is_last(number, attempt) {
            let message = queue.remove(number);
            self.give_up(reader, message, None);
        } else {
            queue.retry(number, attempt, pause);
        }
    }

    pub(super) fn terminate(&mut self, reader: &str, number: u64, reason: String) {
        let message = self
            .readers
            .get_mut(reader)
            .and_then(|queue| queue.remove(number));
        self.give_up(reader, message, Some(reason));
    }

    pub(super) fn dead_letters(&mut self, now: Instant) -> Vec<DeadLetter> {
        self.expire(now);
        self.dead.iter().cloned().collect()
    }

    fn expire(&mut self, now: Instant) {
        let mut dead: Vec<(String, Message)> = Vec::new();
        for (name, queue) in &mut self.readers {
            dead.extend(queue.expire(now).into_iter().map(|m| (name.clone(), m)));
        }
        for (reader, message) in dead {
            self.give_up(&reader, Some(message), None);
        }
    }

    fn give_up(&mut self, reader: &str, message: Option<Message>, reason: Option<String>) {
        let Some(message) = message else {
            return;
        };
        let attempts = message.attempt;
        self.dead.push_back(DeadLetter {
            reader: reader.to_owned(),
            envelope: Envelope::clone(&message.envelope),
            attempts,
            reason: reason.unwrap_or_else(|| format!("delivered {attempts} times and never acknowledged")),
        });
        while self.dead.len() > self.limits.dead_letters {
            self.dead.pop_front();
        }
    }
}

fn refused(step: &'static str, detail: String) -> BusError {
    BusError::Refused { step, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Source, Subject, Topic};
    use crate::ids::{InstanceName, InstanceRef, Namespace, RunUid};

    const WAIT: Duration = Duration::from_secs(30);

    fn limits() -> BusLimits {
        BusLimits {
            unacknowledged: 2,
            remembered_ids: 3,
            dead_letters: 2,
            readers: 2,
        }
    }

    fn subscription(reader: &str) -> Subscription {
        Subscription {
            reader: reader.to_owned(),
            topics: vec![Topic::AgentRunCompleted, Topic::AgentStreamChunk],
            instance: None,
            key: None,
            ack_wait: WAIT,
            max_deliver: 2,
        }
    }

    fn envelope(id: &str, topic: Topic) -> Envelope {
        let instance = InstanceRef {
            namespace: Namespace::new("n").unwrap(),
            name: InstanceName::new("i").unwrap(),
        };
        Envelope {
            id: id.to_owned(),
            source: Source::Run(instance.namespace.clone(), RunUid(uuid::Uuid::nil())),
            subject: Subject::new(instance, topic, uuid::Uuid::nil().to_string()).unwrap(),
            time: jiff::Timestamp::UNIX_EPOCH,
            traceparent: None,
            data: serde_json::Value::Null,
        }
    }

    fn work(id: &str) -> Envelope {
        envelope(id, Topic::AgentRunCompleted)
    }

    fn state() -> (State, Instant) {
        let mut state = State::new(limits());
        state.subscribe(subscription("r")).unwrap();
        (state, Instant::now())
    }

    fn take(state: &mut State, now: Instant) -> Option<(String, u32, u64)> {
        match state.take("r", now) {
            Take::Message(message) => Some((message.envelope.id.clone(), message.attempt, message.number)),
            Take::Nothing { .. } => None,
        }
    }

    #[test]
    fn work_is_refused_when_a_reader_is_full_and_none_is_lost() {
        let (mut state, now) = state();
        state.publish(work("a"), now).unwrap();
        state.publish(work("b"), now).unwrap();
        let (_, _, number) = take(&mut state, now).unwrap();
        assert!(matches!(
            state.publish(work("c"), now),
            Err(BusError::Full { .. })
        ));
        state.ack("r", number);
        state.publish(work("c"), now).unwrap();
        let ids: Vec<_> = std::iter::from_fn(|| take(&mut state, now))
            .map(|m| m.0)
            .collect();
        assert_eq!(ids, ["b", "c"]);
    }

    #[test]
    fn of_messages_for_watching_the_oldest_give_way() {
        let (mut state, now) = state();
        state.publish(work("work"), now).unwrap();
        for id in ["a", "b", "c"] {
            state.publish(envelope(id, Topic::AgentStreamChunk), now).unwrap();
        }
        let ids: Vec<_> = std::iter::from_fn(|| take(&mut state, now))
            .map(|m| m.0)
            .collect();
        assert_eq!(ids, ["work", "b", "c"]);
    }

    #[test]
    fn what_is_not_acknowledged_comes_again_before_newer_messages_and_then_dies() {
        let (mut state, now) = state();
        state.publish(work("a"), now).unwrap();
        assert_eq!(take(&mut state, now).unwrap().1, 1);
        state.publish(work("b"), now).unwrap();
        let again = now + WAIT;
        assert_eq!(
            take(&mut state, again).map(|m| (m.0, m.1)),
            Some(("a".to_owned(), 2))
        );
        assert_eq!(
            take(&mut state, again).map(|m| (m.0, m.1)),
            Some(("b".to_owned(), 1))
        );
        assert_eq!(
            state.dead_letters(again + WAIT),
            [],
            "the second time it may take twice as long"
        );
        let dead = state.dead_letters(again + 2 * WAIT);
        assert_eq!(dead.len(), 1);
        assert_eq!(
            (
                dead[0].envelope.id.as_str(),
                dead[0].attempts,
                dead[0].reader.as_str()
            ),
            ("a", 2, "r")
        );
        assert_eq!(dead[0].reason, "delivered 2 times and never acknowledged");
    }

    #[test]
    fn a_late_acknowledgement_counts_and_a_late_retry_does_not() {
        let (mut state, now) = state();
        state.publish(work("a"), now).unwrap();
        let (_, first, number) = take(&mut state, now).unwrap();
        let again = now + WAIT;
        let (_, second, _) = take(&mut state, again).unwrap();
        state.retry("r", number, first, (again, Duration::ZERO));
        assert_eq!(take(&mut state, again), None);
        assert_eq!(second, 2);
        state.ack("r", number);
        assert_eq!(take(&mut state, again + 3 * WAIT), None);
        assert_eq!(state.dead_letters(again + 3 * WAIT), []);
    }

    #[test]
    fn a_retry_waits_for_its_pause_and_the_last_one_dies() {
        let (mut state, now) = state();
        state.publish(work("a"), now).unwrap();
        let (_, attempt, number) = take(&mut state, now).unwrap();
        let pause = Duration::from_secs(5);
        state.retry("r", number, attempt, (now, pause));
        assert_eq!(take(&mut state, now + pause / 2), None);
        let (_, attempt, number) = take(&mut state, now + pause).unwrap();
        state.retry("r", number, attempt, (now, pause));
        assert_eq!(state.dead_letters(now + pause).len(), 1);
        state.publish(work("b"), now).unwrap();
        let (_, attempt, number) = take(&mut state, now).unwrap();
        state.retry("r", number, attempt, (now, Duration::MAX));
        assert_eq!(take(&mut state, now + WAIT * 1000), None);
    }

    #[test]
    fn ids_and_dead_letters_are_remembered_within_bounds() {
        let (mut state, now) = state();
        for id in ["a", "a", "b", "c", "d", "a"] {
            state.publish(work(id), now).unwrap();
            while let Some((id, _, number)) = take(&mut state, now) {
                state.terminate("r", number, format!("no {id}"));
            }
        }
        let dead = state.dead_letters(now);
        let reasons: Vec<_> = dead.iter().map(|letter| letter.reason.as_str()).collect();
        assert_eq!(
            reasons,
            ["no d", "no a"],
            "the second a is a repetition, the third is not any more"
        );
        assert_eq!((state.recent.len(), state.known.len()), (3, 3));
    }

    #[test]
    fn who_may_not_speak_is_refused() {
        let (mut state, now) = state();
        let forged = Envelope {
            source: Source::Part("somebody".to_owned()),
            ..work("a")
        };
        assert!(matches!(
            state.publish(forged, now),
            Err(BusError::Refused { .. })
        ));
        assert_eq!(take(&mut state, now), None);
    }

    #[test]
    fn senseless_subscriptions_and_too_many_readers_are_refused() {
        let (mut state, _) = state();
        state.subscribe(subscription("second")).unwrap();
        state.subscribe(subscription("second")).unwrap();
        for wrong in [subscription("third"), subscription("")] {
            assert!(matches!(state.subscribe(wrong), Err(BusError::Refused { .. })));
        }
    }
}
