//! A turn from its beginning to its record.

use super::super::meter::InFlight;
use super::super::stage::stopping;
use super::super::{Gateway, GatewayLimits, Inner, problem, runs};
use super::answer;
use super::call::{Wanted, call};
use super::conversation::{Conversation, hash, unheard, upstream};
use super::flight::{Flight, Follower};
use super::kept::Known;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use sympozium_core::chat::{ChatRequest, ChatResponse, FinishReason, Message};
use sympozium_core::gateway::{GatewayEvent, HistorySize, Problem, ProblemKind, TurnRequest};
use sympozium_core::ids::{SessionKey, StepId};
use sympozium_core::run::RunPlan;
use sympozium_core::store::{
    Begin, Session, SessionFilter, StepClaim, StepKey, StoreError, Turn as StoredTurn,
};

/// How often a step that another process is at is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How many turns are read from the store at once.
const PAGE: u32 = 500;
/// How many other calls of a run may take the next place in its transcript before one gives up.
const PLACES: u32 = 256;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) enum TurnInput {
    /// The next turn of a run's own conversation, which the gateway keeps.
    Next(TurnRequest),
    /// A whole conversation, which its sender keeps. Not repeated once a piece of the answer was passed on.
    Whole(ChatRequest),
}

impl TurnInput {
    fn hash(&self) -> [u8; 32] {
        match self {
            Self::Next(turn) => hash("next", turn),
            Self::Whole(request) => hash("whole", request),
        }
    }
}

/// A turn to take.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) plan: Arc<RunPlan>,
    pub(crate) step: StepId,
    /// The caller named the step, so it may ask for it again.
    pub(crate) named: bool,
    pub(crate) input: TurnInput,
}

/// Takes a turn, or joins it if it is under way. The turn goes on when the follower is dropped.
pub(crate) fn start(gateway: &Gateway, turn: Turn) -> Result<Follower, Problem> {
    let inner = &gateway.inner;
    let key = StepKey {
        run: turn.plan.run.uid,
        step: turn.step.clone(),
    };
    let request = turn.input.hash();
    let flight = {
        let mut flights = inner.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let room = room(&flights, &key, &inner.parts.limits);
        match flights.entry(key.clone()) {
            Entry::Occupied(under_way) if under_way.get().request == request => {
                return Ok(Follower::new(Arc::clone(under_way.get())));
            }
            Entry::Occupied(_) => return Err(mismatch(&turn.step)),
            Entry::Vacant(_) if inner.course.admit().is_err() => return Err(stopping()),
            Entry::Vacant(_) if !room => return Err(crowded()),
            Entry::Vacant(free) => free.insert(Arc::new(Flight::new(request))).clone(),
        }
    };
    let follower = Follower::new(Arc::clone(&flight));
    let landing = Landing {
        inner: Arc::clone(inner),
        key,
        flight,
        _counted: InFlight::begin(),
    };
    inner.turns.spawn(async move { landing.fly(&turn).await });
    Ok(follower)
}

/// Whether another turn may begin: turns outlive their clients, so connections don't bound them.
fn room(flights: &HashMap<StepKey, Arc<Flight>>, key: &StepKey, limits: &GatewayLimits) -> bool {
    flights.len() < limits.max_turns
        && flights.keys().filter(|other| other.run == key.run).count() < limits.max_turns_per_run
}

fn crowded() -> Problem {
    let mut problem = Problem::new(
        ProblemKind::RateLimited,
        "Too many turns are under way; try again when one has ended.",
    );
    problem.retry_after_ms = Some(1_000);
    problem
}

/// Closes the flight whatever happens, also when the task panics.
struct Landing {
    inner: Arc<Inner>,
    key: StepKey,
    flight: Arc<Flight>,
    _counted: InFlight,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.leave();
        self.flight.close();
    }
}

impl Landing {
    fn leave(&self) {
        let mut flights = self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Another flight may have begun under this key since; it stays.
        if flights
            .get(&self.key)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
        {
            flights.remove(&self.key);
        }
    }

    async fn fly(self, turn: &Turn) {
        let last = match self.step(turn).await {
            Ok(answer) => GatewayEvent::Chat(answer::done(&answer)),
            Err(problem) => GatewayEvent::Problem(problem),
        };
        // Out of the table first: whoever asks after the last event is answered from the record.
        self.leave();
        self.flight.push(last);
    }

    /// Claims the step and takes the turn, or says what is on record.
    async fn step(&self, turn: &Turn) -> Result<ChatResponse, Problem> {
        let parts = &self.inner.parts;
        let mut ahead = Some(self.read_ahead(turn));
        loop {
            let now = parts.clock.now();
            let lease_until = now.saturating_add(parts.limits.step_lease).unwrap_or(now);
            let (key, request, owner) = (self.key.clone(), self.flight.request, self.inner.id);
            let claim = StepClaim {
                key,
                request,
                owner,
                now,
                lease_until,
            };
            let claimed = parts.stores.steps.begin(&claim);
            // Nearly every step is new, so what was said before is read while it is claimed.
            let (begun, read) = match ahead.take() {
                Some(ahead) => tokio::join!(claimed, ahead),
                None => (claimed.await, None),
            };
            match begun.map_err(|error| problem::of_store(&error))? {
                Begin::New => return self.take_and_record(turn, read).await,
                Begin::Done(value) => return self.replay(value),
                Begin::Mismatch => return Err(mismatch(&self.key.step)),
                // Our own claim without a flight: an attempt of this process that could not say how it ended.
                Begin::InFlight { owner, .. } if owner == self.inner.id => {
                    let given_up = parts.stores.steps.abandon(&self.key, owner).await;
                    given_up.map_err(|error| problem::of_store(&error))?;
                }
                Begin::InFlight { .. } => self.wait(turn).await?,
            }
        }
    }

    /// What was said before a turn that goes on from it; read once, before it is known whether the turn is taken.
    async fn read_ahead(&self, turn: &Turn) -> Option<Result<Known, Problem>> {
        match &turn.input {
            TurnInput::Next(_) => Some(known(&self.inner, &turn.plan).await),
            TurnInput::Whole(_) => None,
        }
    }

    async fn wait(&self, turn: &Turn) -> Result<(), Problem> {
        let clock = self.inner.runs.seen(turn.plan.run.uid, turn.plan.limits.timeout);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => Ok(()),
            () = clock.cancel.cancelled() => Err(runs::ended()),
            () = self.inner.course.over.cancelled() => Err(stopping()),
            () = tokio::time::sleep_until(clock.deadline) => Err(runs::time_is_up()),
        }
    }

    /// Passes a recorded answer on, but for its last event.
    fn replay(&self, value: Value) -> Result<ChatResponse, Problem> {
        let answer: ChatResponse = serde_json::from_value(value).map_err(|error| {
            Problem::new(
                ProblemKind::Internal,
                format!("The recorded answer is not readable: {error}."),
            )
        })?;
        let mut events = answer::events(&answer);
        events.pop();
        for event in events {
            self.flight.push(GatewayEvent::Chat(event));
        }
        Ok(answer)
    }

    async fn take_and_record(
        &self,
        turn: &Turn,
        read: Option<Result<Known, Problem>>,
    ) -> Result<ChatResponse, Problem> {
        let steps = &self.inner.parts.stores.steps;
        let answer = match self.take(turn, read).await {
            Ok(answer) => answer,
            Err(problem) => {
                // A step that failed may be asked for again. If the store is gone, its lease will end.
                if let Err(error) = steps.abandon(&self.key, self.inner.id).await {
                    tracing::warn!(%error, step = %self.key.step, "a failed step stays claimed until its lease ends");
                }
                return Err(problem);
            }
        };
        let value = serde_json::to_value(&answer).map_err(|error| {
            Problem::new(
                ProblemKind::Internal,
                format!("The answer can't be recorded: {error}."),
            )
        })?;
        let now = self.inner.parts.clock.now();
        let finished = steps.finish(&self.key, self.inner.id, &value, now).await;
        finished.map_err(|error| problem::of_store(&error))?;
        Ok(answer)
    }

    async fn take(&self, turn: &Turn, read: Option<Result<Known, Problem>>) -> Result<ChatResponse, Problem> {
        match &turn.input {
            TurnInput::Next(next) => {
                let known = match read {
                    Some(read) => read?,
                    None => known(&self.inner, &turn.plan).await?,
                };
                self.take_next(turn, next, known).await
            }
            TurnInput::Whole(request) => {
                let mut request = request.clone();
                request.max_tokens = Some(self.output_limit(request.max_tokens));
                let said = request.messages.clone();
                let wanted = Wanted {
                    plan: &turn.plan,
                    step: &turn.step,
                    request,
                    resumable: false,
                };
                let answer = call(&self.inner, &self.flight, wanted).await?;
                self.store_whole(turn, &said, &answer).await?;
                Ok(answer)
            }
        }
    }

    async fn take_next(
        &self,
        turn: &Turn,
        next: &TurnRequest,
        mut known: Known,
    ) -> Result<ChatResponse, Problem> {
        let conversation = &known.conversation;
        // A step without a name can't be a repetition.
        if let Some(stored) = conversation.answered(next).filter(|_| turn.named) {
            let recovered = self.recover(stored);
            self.inner.kept.keep(turn.plan.run.uid, known);
            return recovered;
        }
        if conversation.own.len() != next.base as usize {
            let detail = format!(
                "The run has {} stored messages, not {}.",
                conversation.own.len(),
                next.base
            );
            return Err(Problem::new(ProblemKind::StepConflict, detail));
        }
        let request = upstream(&turn.plan, conversation, next, self.output_limit(next.max_tokens));
        let wanted = Wanted {
            plan: &turn.plan,
            step: &turn.step,
            request,
            resumable: true,
        };
        let answer = call(&self.inner, &self.flight, wanted).await?;
        let turns = self.turns(turn, next.base, &next.messages, &answer);
        let session = match known.session {
            Some(session) => session,
            None => open(&self.inner, &turn.plan).await?.id,
        };
        let sessions = &self.inner.parts.stores.sessions;
        match sessions.append(session, &turns).await {
            Ok(()) => {
                known.go_on(session, turns);
                self.inner.kept.keep(turn.plan.run.uid, known);
            }
            // Somebody deleted it meanwhile; what is said from now on is kept in a new one.
            Err(StoreError::NotFound { .. }) => {
                let session = open(&self.inner, &turn.plan).await?;
                let stored = sessions.append(session.id, &turns).await;
                stored.map_err(|error| problem::of_store(&error))?;
            }
            Err(error) => return Err(problem::of_store(&error)),
        }
        Ok(answer)
    }

    /// An answer that was stored by an attempt which died before it could finish the step.
    fn recover(&self, stored: &StoredTurn) -> Result<ChatResponse, Problem> {
        let asks = stored.message.tool_calls().next().is_some();
        let finish = if asks {
            FinishReason::ToolCalls
        } else {
            FinishReason::Stop
        };
        let answer = ChatResponse {
            message: stored.message.clone(),
            finish,
            usage: stored.usage,
            model: None,
        };
        self.replay(serde_json::to_value(&answer).unwrap_or_default())
    }

    fn output_limit(&self, wanted: Option<u32>) -> u32 {
        let limits = &self.inner.parts.limits;
        wanted
            .unwrap_or(limits.default_output_tokens)
            .clamp(1, limits.max_output_tokens)
    }

    /// Adds what is new of a conversation that its sender keeps, and the answer, to the transcript.
    ///
    /// The next free place may be taken by another call of the run meanwhile; then the one after it is tried.
    async fn store_whole(&self, turn: &Turn, said: &[Message], answer: &ChatResponse) -> Result<(), Problem> {
        let sessions = &self.inner.parts.stores.sessions;
        let mut tries = 0;
        loop {
            let session = open(&self.inner, &turn.plan).await?;
            let base = u32::try_from(session.turns).unwrap_or(u32::MAX);
            let turns = self.turns(turn, base, unheard(said, session.turns == 0), answer);
            match sessions.append(session.id, &turns).await {
                Err(StoreError::Conflict { .. }) if tries < PLACES => tries += 1,
                stored => return stored.map_err(|error| problem::of_store(&error)),
            }
        }
    }

    /// New messages and the answer, as they stand in the transcript from place `base` on.
    fn turns(&self, turn: &Turn, base: u32, said: &[Message], answer: &ChatResponse) -> Vec<StoredTurn> {
        let (run, at) = (turn.plan.run.uid, self.inner.parts.clock.now());
        let said = said.iter().map(|message| (message.clone(), None));
        let all = said.chain([(answer.message.clone(), answer.usage)]);
        (base..)
            .zip(all)
            .map(|(index, (message, usage))| StoredTurn {
                run,
                index,
                message,
                usage,
                at,
            })
            .collect()
    }
}

/// The key of the run's session.
fn key(plan: &RunPlan) -> Result<SessionKey, Problem> {
    let own = || SessionKey::new(format!("run {}", plan.run.uid));
    let key = plan.session.clone().map_or_else(own, Ok);
    key.map_err(|error| Problem::new(ProblemKind::Internal, format!("{error}.")))
}

/// The run's session, made if there is none. Only for adding to it: a run that says nothing leaves none behind.
async fn open(inner: &Inner, plan: &RunPlan) -> Result<Session, Problem> {
    let (key, now) = (key(plan)?, inner.parts.clock.now());
    let opened = inner.parts.stores.sessions.open(&plan.instance, &key, now).await;
    opened.map_err(|error| problem::of_store(&error))
}

/// How much was said in the run's session before it.
pub(crate) async fn history(inner: &Inner, plan: &RunPlan) -> Result<HistorySize, Problem> {
    let known = known(inner, plan).await?;
    let size = known.conversation.size();
    // The run's first turn will ask for it again.
    inner.kept.keep(plan.run.uid, known);
    Ok(size)
}

/// What was said in the run's session: what is kept of it, if that is all of it still.
async fn known(inner: &Inner, plan: &RunPlan) -> Result<Known, Problem> {
    let sessions = &inner.parts.stores.sessions;
    let filter = SessionFilter {
        instance: Some(plan.instance.clone()),
        key: Some(key(plan)?),
        text: None,
    };
    let found = sessions.list(&filter, None, 1).await;
    let found = found.map_err(|error| problem::of_store(&error))?.items.pop();
    let Some(session) = found else {
        return Ok(Known::default());
    };
    if let Some(known) = inner.kept.take(plan.run.uid, &session) {
        return Ok(known);
    }
    let mut turns = Vec::new();
    let mut cursor = None;
    loop {
        let page = sessions.transcript(session.id, cursor.as_deref(), PAGE).await;
        let page = page.map_err(|error| problem::of_store(&error))?;
        turns.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(Known {
                session: Some(session.id),
                // As many as were read: more than the session had may have come meanwhile.
                turns: turns.len() as u64,
                conversation: Conversation::of(plan.run.uid, turns),
            });
        }
    }
}

fn mismatch(step: &StepId) -> Problem {
    Problem::new(
        ProblemKind::StepConflict,
        format!("The step {step} holds another request."),
    )
}
