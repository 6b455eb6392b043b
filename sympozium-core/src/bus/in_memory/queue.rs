//! What one reader has still to act on. Pure: time is an argument.

use crate::bus::{Envelope, StreamKind, Subscription};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message on its way to one reader. Numbers grow with every message of the bus.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) envelope: Arc<Envelope>,
    /// How often it has been delivered.
    pub(super) attempt: u32,
}

#[derive(Debug)]
struct InFlight {
    message: Message,
    due: Instant,
}

/// A reader: what waits for it, in order of numbers, and what it was given.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) subscription: Subscription,
    waiting: VecDeque<Message>,
    in_flight: BTreeMap<u64, InFlight>,
}

/// Longer pauses are cut to this: the clock can't count without end.
const LONGEST: Duration = Duration::from_hours(24 * 365);

fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause.min(LONGEST)).unwrap_or(now)
}

impl Queue {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
        }
    }

    pub(super) fn wants(&self, envelope: &Envelope) -> bool {
        self.subscription.wants(envelope)
    }

    /// How many messages of a stream are not acknowledged.
    pub(super) fn unacknowledged(&self, stream: StreamKind) -> usize {
        let given = self.in_flight.values().map(|flight| &flight.message);
        let all = self.waiting.iter().chain(given);
        all.filter(|message| message.envelope.topic().stream() == stream)
            .count()
    }

    /// Adds a message that is newer than all others.
    pub(super) fn push(&mut self, message: Message) {
        self.waiting.push_back(message);
    }

    /// Forgets the oldest waiting message of a stream.
    pub(super) fn drop_oldest(&mut self, stream: StreamKind) {
        let mut waiting = self.waiting.iter();
        if let Some(place) = waiting.position(|m| m.envelope.topic().stream() == stream) {
            self.waiting.remove(place);
        }
    }

    /// The next message; it comes again unless it is acknowledged in time.
    pub(super) fn take(&mut self, now: Instant) -> Option<Message> {
        let mut message = self.waiting.pop_front()?;
        message.attempt = message.attempt.saturating_add(1);
        let flight = InFlight {
            message: message.clone(),
            due: later(now, self.subscription.wait(message.attempt)),
        };
        self.in_flight.insert(message.number, flight);
        Some(message)
    }

    /// When the next message comes again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.in_flight.values().map(|flight| flight.due).min()
    }

    /// Makes what is due wait for delivery again, and gives back what has been delivered often enough.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Message> {
        let due = |flight: &InFlight| flight.due <= now;
        let numbers: Vec<u64> = self
            .in_flight
            .iter()
            .filter(|(_, flight)| due(flight))
            .map(|(number, _)| *number)
            .collect();
        let mut dead = Vec::new();
        for flight in numbers.iter().filter_map(|number| self.in_flight.remove(number)) {
            if flight.message.attempt >= self.subscription.max_deliver {
                dead.push(flight.message);
            } else {
                let number = flight.message.number;
                let place = self.waiting.partition_point(|waiting| waiting.number < number);
                self.waiting.insert(place, flight.message);
            }
        }
        dead
    }

    /// Takes a message out, wherever it is: also when it is about to come again, the effect was had.
    pub(super) fn remove(&mut self, number: u64) -> Option<Message> {
        if let Some(flight) = self.in_flight.remove(&number) {
            return Some(flight.message);
        }
        let place = self
            .waiting
            .binary_search_by_key(&number, |message| message.number)
            .ok()?;
        self.waiting.remove(place)
    }

    /// Makes a message come again after a pause. Nothing happens when that delivery is no longer the latest.
    pub(super) fn retry(&mut self, number: u64, attempt: u32, (now, after): (Instant, Duration)) {
        let flight = self.in_flight.get_mut(&number);
        if let Some(flight) = flight.filter(|flight| flight.message.attempt == attempt) {
            flight.due = later(now, after);
        }
    }

    /// True when the reader was given a message for the last time.
    pub(super) fn is_last(&self, number: u64, attempt: u32) -> bool {
        self.in_flight
            .get(&number)
            .is_some_and(|f| f.message.attempt == attempt && attempt >= self.subscription.max_deliver)
    }
}
