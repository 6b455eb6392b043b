//! The conversations of runs under way, so that a turn does not read all the turns before it from the store: [`Kept`].
//!
//! What is kept is true only together with the number of turns that its session had then: sessions only grow, so a
//! session that has that number still holds nothing else, whichever gateway wrote it. It is bounded, and may be dropped
//! at any time: the store has it all.

use super::conversation::Conversation;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use sympozium_core::ids::RunUid;
use sympozium_core::store::{Session, SessionId, Turn};

/// The most bytes of conversations that are kept, in their JSON form.
const MOST_BYTES: u64 = 32 << 20;

/// A conversation, and what its session looked like when it was read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// `None` = there is no session yet.
    pub(crate) session: Option<SessionId>,
    /// How many turns the session has, those of other runs included.
    pub(crate) turns: u64,
    pub(crate) conversation: Conversation,
}

impl Known {
    /// Adds what this run has said since, and what its session is by now.
    pub(crate) fn go_on(&mut self, session: SessionId, turns: Vec<Turn>) {
        self.session = Some(session);
        self.turns = self.turns.saturating_add(turns.len() as u64);
        self.conversation.go_on(turns);
    }

    /// Whether the session still is what was read.
    fn is_of(&self, session: &Session) -> bool {
        self.session == Some(session.id) && self.turns == session.turns
    }
}

#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    runs: HashMap<RunUid, Entry>,
    bytes: u64,
    /// Goes up with each entry, so that the oldest is known.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    known: Known,
    bytes: u64,
    at: u64,
}

impl Kept {
    /// What is known of a run whose session is `session`, if it is true still. It is taken out: whoever goes on with the
    /// conversation brings back what became of it.
    pub(crate) fn take(&self, run: RunUid, session: &Session) -> Option<Known> {
        let entry = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(run)?;
        Some(entry.known).filter(|known| known.is_of(session))
    }

    /// Keeps what is known, at the cost of what was not asked for the longest.
    pub(crate) fn keep(&self, run: RunUid, known: Known) {
        let bytes = known.conversation.weight();
        if bytes > MOST_BYTES {
            return;
        }
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.remove(run);
        while table.bytes.saturating_add(bytes) > MOST_BYTES {
            let oldest = table.runs.iter().min_by_key(|(_, entry)| entry.at);
            let Some(oldest) = oldest.map(|(run, _)| *run) else {
                break;
            };
            table.remove(oldest);
        }
        table.clock += 1;
        table.bytes += bytes;
        let at = table.clock;
        table.runs.insert(run, Entry { known, bytes, at });
    }

    /// Forgets a run that has ended.
    pub(crate) fn forget(&self, run: RunUid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }
}

impl Table {
    fn remove(&mut self, run: RunUid) -> Option<Entry> {
        let entry = self.runs.remove(&run)?;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use sympozium_core::chat::Message;
    use uuid::Uuid;

    fn session(id: u128, turns: u64) -> Session {
        Session {
            id: SessionId(Uuid::from_u128(id)),
            instance: sympozium_core::testing::run_plan("t").instance,
            key: "k".parse().unwrap(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            turns,
        }
    }

    fn known(run: RunUid, session: &Session, text: usize) -> Known {
        let turn = Turn {
            run,
            index: 0,
            message: Message::user("x".repeat(text)),
            usage: None,
            at: Timestamp::UNIX_EPOCH,
        };
        Known {
            session: Some(session.id),
            turns: session.turns,
            conversation: Conversation::of(run, vec![turn]),
        }
    }

    #[test]
    fn what_is_kept_counts_only_while_its_session_has_not_grown() {
        let (kept, run, then) = (Kept::default(), RunUid::random(), session(1, 3));
        for (now, counts) in [
            (session(1, 3), true),
            (session(1, 4), false),
            (session(2, 3), false),
        ] {
            kept.keep(run, known(run, &then, 1));
            assert_eq!(kept.take(run, &now).is_some(), counts, "{now:?}");
            assert!(kept.take(run, &now).is_none(), "it was taken out");
        }
        kept.keep(run, known(run, &then, 1));
        kept.forget(run);
        assert!(kept.take(run, &then).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let (kept, session) = (Kept::default(), session(1, 1));
        let runs: Vec<_> = (0..5).map(|_| RunUid::random()).collect();
        for run in &runs {
            kept.keep(*run, known(*run, &session, 10 << 20));
        }
        let there: Vec<_> = runs
            .iter()
            .map(|run| kept.take(*run, &session).is_some())
            .collect();
        assert_eq!(there, [false, false, true, true, true]);
        assert_eq!(kept.0.lock().unwrap().bytes, 0);
        kept.keep(runs[0], known(runs[0], &session, 33 << 20));
        assert!(
            kept.take(runs[0], &session).is_none(),
            "too large to be kept at all"
        );
    }
}
