//! Whom this service has let in, to close their connections when they may no longer take part. Pure: time is an argument.

use crate::bus::Principal;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A connection: the server's id, and its number there.
pub(super) type Connection = (String, u64);

/// The most connections that are remembered. One that is not is closed when its permissions expire.
const MOST: usize = 100_000;

/// The connections that were let in and whose permissions have not expired.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: BTreeMap<Connection, (Principal, Timestamp)>,
    /// How many may be there before the expired ones are looked for.
    look_at: usize,
}

impl Connections {
    pub(super) fn note(
        &mut self,
        connection: Connection,
        principal: Principal,
        expires: Timestamp,
        now: Timestamp,
    ) {
        if self.open.len() >= self.look_at {
            self.open.retain(|_, (_, expires)| *expires > now);
            // So a connection costs the same, however many there are.
            self.look_at = self.open.len().saturating_mul(2).clamp(1_024, MOST);
        }
        if self.open.len() < MOST {
            self.open.insert(connection, (principal, expires));
        }
    }

    /// Takes out the connections of some principals.
    pub(super) fn take(&mut self, which: impl Fn(&Principal) -> bool) -> Vec<Connection> {
        let taken = self.open.extract_if(.., |_, (principal, _)| which(principal));
        taken.map(|(connection, _)| connection).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn operator(pod: u128) -> Principal {
        Principal::Operator {
            pod: Uuid::from_u128(pod),
        }
    }

    #[test]
    fn connections_of_a_principal_are_taken_once() {
        let mut connections = Connections::default();
        for (number, pod) in [(1, 1), (2, 2), (3, 1)] {
            connections.note(("N".to_owned(), number), operator(pod), at(10), at(0));
        }
        let one = |principal: &Principal| *principal == operator(1);
        assert_eq!(connections.take(one), [("N".to_owned(), 1), ("N".to_owned(), 3)]);
        assert_eq!(connections.take(one), []);
        assert_eq!(connections.take(|_| true), [("N".to_owned(), 2)]);
    }

    #[test]
    fn expired_connections_do_not_pile_up() {
        let mut connections = Connections::default();
        for number in 0..10_000 {
            connections.note(("N".to_owned(), number), operator(1), at(1), at(2));
        }
        assert!(connections.open.len() <= 1_024, "{}", connections.open.len());
    }
}
