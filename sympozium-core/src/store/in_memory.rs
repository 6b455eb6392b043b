//! The four stores in memory: [`InMemoryStore`], for tests and for runs that nobody wants to remember. No runtime.
//!
//! Keeps everything until it is dropped.

use super::charge::{self, Charged, Holdings};
use super::page::{After, Before, check_limit, cut};
use super::session::{no_session, other_message};
use super::steps::{lost_step, no_step, other_answer};
use super::{
    Account, Amount, AuditLog, AuditRecord, Begin, Ledger, Page, Reservation, Reserve, Session,
    SessionFilter, SessionId, SessionStore, StepClaim, StepKey, StepLog, StepRecord, StoreError, Turn,
    search,
};
use crate::ids::{InstanceRef, RunUid, SessionKey};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Sessions, steps, money and the audit record in memory. Share it in an `Arc`.
#[derive(Debug, Default)]
pub struct InMemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<Uuid, Conversation>,
    steps: BTreeMap<StepKey, Step>,
    steps_begun: u64,
    held: Holdings,
    reservations: BTreeMap<Uuid, Reserved>,
    audit: BTreeMap<RunUid, Vec<AuditRecord>>,
    audit_ids: BTreeSet<Uuid>,
}

#[derive(Debug)]
struct Conversation {
    session: Session,
    turns: Vec<Turn>,
}

#[derive(Debug)]
struct Step {
    place: u64,
    request: [u8; 32],
    owner: Uuid,
    lease_until: Timestamp,
    begun_at: Timestamp,
    answer: Option<Value>,
}

#[derive(Debug)]
struct Reserved {
    accounts: Vec<String>,
    amount: Amount,
    settled: bool,
}

impl InMemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every change is made whole after all checks, so what another thread left while it panicked is fit for use.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cut to the microsecond, as the databases do.
fn cut_time(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

#[async_trait]
impl SessionStore for InMemoryStore {
    async fn open(
        &self,
        instance: &InstanceRef,
        key: &SessionKey,
        now: Timestamp,
    ) -> Result<Session, StoreError> {
        let mut state = self.state();
        let mut sessions = state.sessions.values();
        if let Some(there) = sessions.find(|c| c.session.instance == *instance && c.session.key == *key) {
            return Ok(there.session.clone());
        }
        let now = cut_time(now);
        let session = Session {
            id: SessionId(Uuid::new_v4()),
            instance: instance.clone(),
            key: key.clone(),
            created_at: now,
            updated_at: now,
            turns: 0,
        };
        let conversation = Conversation {
            session: session.clone(),
            turns: Vec::new(),
        };
        state.sessions.insert(session.id.0, conversation);
        Ok(session)
    }

    async fn append(&self, id: SessionId, turns: &[Turn]) -> Result<(), StoreError> {
        let mut state = self.state();
        let conversation = state.sessions.get_mut(&id.0).ok_or_else(|| no_session(id))?;
        let mut new: Vec<Turn> = Vec::new();
        for turn in turns {
            let mut known = conversation.turns.iter().chain(&new);
            match known.find(|t| t.run == turn.run && t.index == turn.index) {
                Some(there) if there.message == turn.message => {}
                Some(_) => return Err(other_message(turn)),
                None => new.push(Turn {
                    at: cut_time(turn.at),
                    ..turn.clone()
                }),
            }
        }
        let session = &mut conversation.session;
        session.turns = session.turns.saturating_add(new.len() as u64);
        let latest = new.iter().map(|turn| turn.at).max();
        session.updated_at = latest.map_or(session.updated_at, |at| at.max(session.updated_at));
        conversation.turns.append(&mut new);
        Ok(())
    }

    async fn transcript(
        &self,
        id: SessionId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Turn>, StoreError> {
        let limit = check_limit("read a transcript", limit)?;
        let after = After::parse("read a transcript", cursor)?;
        let state = self.state();
        let conversation = state.sessions.get(&id.0).ok_or_else(|| no_session(id))?;
        Ok(part(&conversation.turns, after, limit))
    }

    async fn list(
        &self,
        filter: &SessionFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, StoreError> {
        let limit = check_limit("list sessions", limit)?;
        let before = Before::parse("list sessions", cursor)?;
        let needle = filter.text.as_deref().map(search::needle).transpose()?;
        let place = |session: &Session| (session.updated_at.as_microsecond(), session.id.0);
        let state = self.state();
        let mut found: Vec<Session> = state
            .sessions
            .values()
            .filter(|c| matches(c, filter, needle.as_deref()))
            .filter(|c| before.is_none_or(|b| place(&c.session) < (b.updated_at, b.id)))
            .map(|c| c.session.clone())
            .collect();
        found.sort_unstable_by_key(|session| std::cmp::Reverse(place(session)));
        Ok(cut(found, limit, |last| {
            let (updated_at, id) = place(last);
            Before { updated_at, id }.to_text()
        }))
    }

    async fn delete(&self, id: SessionId) -> Result<(), StoreError> {
        let removed = self.state().sessions.remove(&id.0);
        removed.map(drop).ok_or_else(|| no_session(id))
    }
}

fn matches(conversation: &Conversation, filter: &SessionFilter, needle: Option<&str>) -> bool {
    let session = &conversation.session;
    let says = |needle: &str| {
        let mut turns = conversation.turns.iter();
        turns.any(|turn| search::folded(&turn.message).contains(needle))
    };
    filter.instance.as_ref().is_none_or(|i| *i == session.instance)
        && filter.key.as_ref().is_none_or(|key| *key == session.key)
        && needle.is_none_or(says)
}

/// The entries after a place. The number of an entry is its index.
fn part<T: Clone>(all: &[T], after: After, limit: u32) -> Page<T> {
    let first = usize::try_from(after.0.saturating_add(1)).unwrap_or(0);
    let numbered = all.iter().enumerate().skip(first);
    let some: Vec<(usize, &T)> = numbered.take(limit as usize + 1).collect();
    let page = cut(some, limit, |(number, _)| {
        After(i64::try_from(*number).unwrap_or(i64::MAX)).to_text()
    });
    Page {
        items: page.items.into_iter().map(|(_, entry)| entry.clone()).collect(),
        next: page.next,
    }
}

#[async_trait]
impl StepLog for InMemoryStore {
    async fn begin(&self, claim: &StepClaim) -> Result<Begin, StoreError> {
        let mut state = self.state();
        if let Some(step) = state.steps.get_mut(&claim.key) {
            return Ok(begin_again(step, claim));
        }
        state.steps_begun = state.steps_begun.saturating_add(1);
        let step = Step {
            place: state.steps_begun,
            request: claim.request,
            owner: claim.owner,
            lease_until: cut_time(claim.lease_until),
            begun_at: cut_time(claim.now),
            answer: None,
        };
        state.steps.insert(claim.key.clone(), step);
        Ok(Begin::New)
    }

    async fn finish(
        &self,
        key: &StepKey,
        owner: Uuid,
        answer: &Value,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        let step = state.steps.get_mut(key).ok_or_else(|| no_step(key))?;
        match &step.answer {
            Some(there) if there == answer => Ok(()),
            Some(_) => Err(other_answer(key)),
            None if step.owner == owner => {
                step.answer = Some(answer.clone());
                Ok(())
            }
            None => Err(lost_step(key)),
        }
    }

    async fn abandon(&self, key: &StepKey, owner: Uuid) -> Result<(), StoreError> {
        let mut state = self.state();
        let held = |step: &Step| step.owner == owner && step.answer.is_none();
        if state.steps.get(key).is_some_and(held) {
            state.steps.remove(key);
        }
        Ok(())
    }

    async fn steps(&self, run: RunUid) -> Result<Vec<StepRecord>, StoreError> {
        let state = self.state();
        let mut steps: Vec<_> = state.steps.iter().filter(|(key, _)| key.run == run).collect();
        steps.sort_unstable_by_key(|(_, step)| step.place);
        let records = steps.into_iter().map(|(key, step)| StepRecord {
            key: key.clone(),
            begun_at: step.begun_at,
            answer: step.answer.clone(),
        });
        Ok(records.collect())
    }
}

fn begin_again(step: &mut Step, claim: &StepClaim) -> Begin {
    if step.request != claim.request {
        return Begin::Mismatch;
    }
    if let Some(answer) = &step.answer {
        return Begin::Done(answer.clone());
    }
    if step.lease_until <= cut_time(claim.now) {
        step.owner = claim.owner;
        step.lease_until = cut_time(claim.lease_until);
        return Begin::New;
    }
    Begin::InFlight {
        owner: step.owner,
        lease_until: step.lease_until,
    }
}

#[async_trait]
impl Ledger for InMemoryStore {
    async fn reserve(&self, reservation: &Reservation, _now: Timestamp) -> Result<Reserve, StoreError> {
        charge::check_amount("reserve", reservation.amount)?;
        let accounts = charge::account_keys(reservation);
        let mut state = self.state();
        if let Some(there) = state.reservations.get(&reservation.id) {
            return if there.amount == reservation.amount && there.accounts == accounts {
                Ok(Reserve::Granted)
            } else {
                Err(charge::other_reservation(reservation))
            };
        }
        match charge::charge(reservation, &state.held) {
            Charged::Fits(after) => {
                state.held.extend(after);
                let reserved = Reserved {
                    accounts,
                    amount: reservation.amount,
                    settled: false,
                };
                state.reservations.insert(reservation.id, reserved);
                Ok(Reserve::Granted)
            }
            Charged::Exhausted { charge, held } => Ok(Reserve::Exhausted { charge, held }),
        }
    }

    async fn settle(&self, id: Uuid, used: Amount, _now: Timestamp) -> Result<(), StoreError> {
        charge::check_amount("settle", used)?;
        let mut state = self.state();
        let State {
            reservations, held, ..
        } = &mut *state;
        let reserved = reservations
            .get_mut(&id)
            .ok_or_else(|| charge::no_reservation(id))?;
        if std::mem::replace(&mut reserved.settled, true) {
            return Ok(());
        }
        for key in &reserved.accounts {
            let account = held.entry(key.clone()).or_default();
            *account = charge::settle(*account, reserved.amount, used);
        }
        Ok(())
    }

    async fn held(&self, account: &Account) -> Result<Amount, StoreError> {
        let held = self.state().held.get(&charge::account_key(account)).copied();
        Ok(held.unwrap_or_default())
    }
}

#[async_trait]
impl AuditLog for InMemoryStore {
    async fn append(&self, record: &AuditRecord) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.audit_ids.insert(record.id) {
            let record = AuditRecord {
                at: cut_time(record.at),
                ..record.clone()
            };
            state.audit.entry(record.run).or_default().push(record);
        }
        Ok(())
    }

    async fn read(
        &self,
        run: RunUid,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditRecord>, StoreError> {
        let limit = check_limit("read audit records", limit)?;
        let after = After::parse("read audit records", cursor)?;
        let state = self.state();
        let entries = state.audit.get(&run).map_or(&[][..], Vec::as_slice);
        Ok(part(entries, after, limit))
    }
}
