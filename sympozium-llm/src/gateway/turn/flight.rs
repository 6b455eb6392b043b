//! A turn under way: what it has said so far, for everybody who asks for it.

use std::sync::{Arc, Mutex, PoisonError};
use sympozium_core::gateway::GatewayEvent;
use tokio::sync::watch;

/// The events of one turn. Bounded by the largest answer that a turn may give.
#[derive(Debug)]
pub(crate) struct Flight {
    /// SHA-256 of the canonical request.
    pub(crate) request: [u8; 32],
    events: Mutex<Vec<GatewayEvent>>,
    /// How many events there are, and whether that is all.
    state: watch::Sender<(usize, bool)>,
}

impl Flight {
    pub(crate) fn new(request: [u8; 32]) -> Self {
        Self {
            request,
            events: Mutex::default(),
            state: watch::Sender::new((0, false)),
        }
    }

    pub(crate) fn push(&self, event: GatewayEvent) {
        let count = {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.push(event);
            events.len()
        };
        self.state.send_modify(|(seen, _)| *seen = count);
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.state.send_modify(|(_, closed)| *closed = true);
    }

    fn get(&self, index: usize) -> Option<GatewayEvent> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(index)
            .cloned()
    }
}

/// Reads a flight from its beginning.
#[derive(Debug)]
pub(crate) struct Follower {
    flight: Arc<Flight>,
    state: watch::Receiver<(usize, bool)>,
    next: usize,
}

impl Follower {
    pub(crate) fn new(flight: Arc<Flight>) -> Self {
        let state = flight.state.subscribe();
        Self {
            flight,
            state,
            next: 0,
        }
    }

    /// The next event; `None` at the end. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Option<GatewayEvent> {
        loop {
            let closed = self.state.borrow_and_update().1;
            if let Some(event) = self.flight.get(self.next) {
                self.next += 1;
                return Some(event);
            }
            if closed || self.state.changed().await.is_err() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::chat::ChatEvent;

    #[tokio::test]
    async fn a_late_follower_gets_everything_from_the_beginning() {
        let event = |text: &str| {
            GatewayEvent::Chat(ChatEvent::TextDelta {
                index: 0,
                text: text.to_owned(),
            })
        };
        let flight = Arc::new(Flight::new([0; 32]));
        flight.push(event("a"));
        let mut early = Follower::new(Arc::clone(&flight));
        assert_eq!(early.next().await, Some(event("a")));
        flight.push(event("b"));
        flight.close();
        assert_eq!(early.next().await, Some(event("b")));
        assert_eq!(early.next().await, None);
        let mut late = Follower::new(flight);
        assert_eq!(
            (late.next().await, late.next().await, late.next().await),
            (Some(event("a")), Some(event("b")), None)
        );
    }
}
