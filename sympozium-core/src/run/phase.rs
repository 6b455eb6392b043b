//! What comes next for a run: [`next`]. Pure; the caller supplies the time and carries out the effects in order.

use super::{AgentResult, Observed, ResultStatus, RunPhase};
use jiff::{SignedDuration, Timestamp};

/// How long an agent may go on after it was told to stop.
pub const STOP_GRACE: SignedDuration = SignedDuration::from_secs(30);

/// What is known of a run besides what its executor sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunState {
    /// Where it stands.
    pub phase: RunPhase,
    /// Somebody wishes it to end.
    pub cancel: bool,
    /// It has a slot, or needs none.
    pub slot: bool,
    /// A tool call of it waits for a person.
    pub asking: bool,
    /// When its time is up; `None` before its agent started.
    pub deadline: Option<Timestamp>,
}

/// Why a run ended as it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It has an answer.
    Answered,
    /// Its agent reports that it failed.
    Error(String),
    /// Its agent ended without a result.
    Died {
        /// With this exit code.
        exit_code: i32,
    },
    /// Its time was up.
    Deadline,
    /// Somebody wished so.
    Cancelled,
    /// What was made of it is gone.
    Lost,
}

/// What to do, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Make it exist.
    Create,
    /// Tell its agent to stop.
    Stop,
    /// Take its rights away. On every way to an end.
    Revoke,
    /// Merge what it wants to remember.
    SaveMemory,
    /// Remove what is left.
    CleanUp,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The next phase.
    pub phase: RunPhase,
    /// How it ended, when the phase is terminal and was not before.
    pub ending: Option<Ending>,
    /// What to do.
    pub effects: Vec<Effect>,
}

impl Transition {
    fn to(phase: RunPhase, effects: &[Effect]) -> Self {
        Self {
            phase,
            ending: None,
            effects: effects.to_vec(),
        }
    }

    fn end(ending: Ending) -> Self {
        let (phase, remembers) = match &ending {
            Ending::Answered => (RunPhase::Succeeded, true),
            Ending::Error(_) | Ending::Died { .. } | Ending::Lost => (RunPhase::Failed, false),
            Ending::Deadline => (RunPhase::Failed, true),
            Ending::Cancelled => (RunPhase::Cancelled, false),
        };
        let save = remembers.then_some(Effect::SaveMemory);
        let effects = [Effect::Revoke]
            .into_iter()
            .chain(save)
            .chain([Effect::CleanUp])
            .collect();
        Self {
            phase,
            ending: Some(ending),
            effects,
        }
    }
}

/// What comes next for a run in `state`, of which `seen` is seen, at `now`.
pub fn next(state: &RunState, seen: &Observed, now: Timestamp) -> Transition {
    match state.phase {
        RunPhase::Succeeded | RunPhase::Failed | RunPhase::Cancelled => Transition::to(state.phase, &[]),
        RunPhase::Pending | RunPhase::Queued => waiting(state, seen, now),
        RunPhase::Running | RunPhase::AwaitingApproval => working(state, seen, now),
    }
}

fn waiting(state: &RunState, seen: &Observed, now: Timestamp) -> Transition {
    match seen {
        Observed::Nothing if state.cancel => Transition::end(Ending::Cancelled),
        Observed::Nothing if state.slot => Transition::to(RunPhase::Pending, &[Effect::Create]),
        Observed::Nothing => Transition::to(RunPhase::Queued, &[]),
        Observed::Starting if state.cancel => Transition::to(state.phase, &[Effect::Stop]),
        Observed::Starting => Transition::to(RunPhase::Pending, &[]),
        Observed::Running { .. } | Observed::Finished { .. } => working(state, seen, now),
    }
}

fn working(state: &RunState, seen: &Observed, now: Timestamp) -> Transition {
    let phase = if state.asking {
        RunPhase::AwaitingApproval
    } else {
        RunPhase::Running
    };
    let late = state.deadline.is_some_and(|deadline| now >= deadline);
    let overdue = state
        .deadline
        .is_some_and(|deadline| now >= deadline.saturating_add(STOP_GRACE).unwrap_or(deadline));
    match seen {
        Observed::Nothing if state.cancel => Transition::end(Ending::Cancelled),
        Observed::Nothing if late => Transition::end(Ending::Deadline),
        Observed::Nothing => Transition::end(Ending::Lost),
        Observed::Running { .. } | Observed::Starting if overdue && !state.cancel => {
            Transition::end(Ending::Deadline)
        }
        Observed::Running { .. } | Observed::Starting if state.cancel || late => {
            Transition::to(phase, &[Effect::Stop])
        }
        Observed::Running { .. } => Transition::to(phase, &[]),
        Observed::Starting => Transition::to(state.phase, &[]),
        Observed::Finished {
            exit_code, result, ..
        } => Transition::end(ending(*exit_code, result.as_ref(), state.cancel, late)),
    }
}

/// An answer counts even when a wish to end, or the deadline, met it on its way. An agent that was told to stop because
/// its time was up says 130 as well, so that code alone means a wish only before the deadline.
fn ending(exit_code: i32, result: Option<&AgentResult>, cancel: bool, late: bool) -> Ending {
    match result {
        Some(AgentResult {
            status: ResultStatus::Success,
            ..
        }) => Ending::Answered,
        _ if cancel => Ending::Cancelled,
        _ if late || exit_code == 4 => Ending::Deadline,
        _ if exit_code == 130 => Ending::Cancelled,
        Some(AgentResult {
            status: ResultStatus::Error,
            error,
            ..
        }) => Ending::Error(
            error
                .clone()
                .unwrap_or_else(|| format!("the agent failed with exit code {exit_code}")),
        ),
        None => Ending::Died { exit_code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn state(phase: RunPhase) -> RunState {
        RunState {
            phase,
            cancel: false,
            slot: true,
            asking: false,
            deadline: Some(at(100)),
        }
    }

    fn result(status: ResultStatus) -> AgentResult {
        AgentResult {
            status,
            response: String::new(),
            error: None,
            metrics: super::super::ResultMetrics::default(),
            limit: None,
        }
    }

    fn finished(exit_code: i32, status: Option<ResultStatus>) -> Observed {
        Observed::Finished {
            exit_code,
            result: status.map(result),
            at: at(50),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one row per case")]
    fn each_state_and_sight_leads_to_one_next_step() {
        use Effect::{CleanUp, Create, Revoke, SaveMemory, Stop};
        use RunPhase::{AwaitingApproval, Cancelled, Failed, Pending, Queued, Running, Succeeded};
        let running = Observed::Running { since: at(0) };
        let cancelled = |phase| RunState {
            cancel: true,
            ..state(phase)
        };
        let asking = RunState {
            asking: true,
            ..state(Running)
        };
        let slotless = RunState {
            slot: false,
            ..state(Pending)
        };
        let end: &[Effect] = &[Revoke, CleanUp];
        let save: &[Effect] = &[Revoke, SaveMemory, CleanUp];
        for (name, state, seen, now, phase, effects) in [
            (
                "a run with a slot is made",
                state(Pending),
                Observed::Nothing,
                0,
                Pending,
                &[Create][..],
            ),
            (
                "a run without a slot waits",
                slotless,
                Observed::Nothing,
                0,
                Queued,
                &[],
            ),
            (
                "a waiting run can be cancelled",
                cancelled(Queued),
                Observed::Nothing,
                0,
                Cancelled,
                end,
            ),
            (
                "a starting run is told to stop",
                cancelled(Pending),
                Observed::Starting,
                0,
                Pending,
                &[Stop],
            ),
            ("a run starts", state(Pending), running.clone(), 0, Running, &[]),
            ("a run asks", asking, running.clone(), 0, AwaitingApproval, &[]),
            (
                "a cancelled run is told to stop",
                cancelled(Running),
                running.clone(),
                0,
                Running,
                &[Stop],
            ),
            (
                "a late run is told to stop",
                state(Running),
                running.clone(),
                100,
                Running,
                &[Stop],
            ),
            (
                "a run that does not stop fails",
                state(Running),
                running.clone(),
                130,
                Failed,
                save,
            ),
            (
                "an answer succeeds",
                state(Running),
                finished(0, Some(ResultStatus::Success)),
                50,
                Succeeded,
                save,
            ),
            (
                "a late answer succeeds",
                state(Running),
                finished(0, Some(ResultStatus::Success)),
                101,
                Succeeded,
                save,
            ),
            (
                "an error fails",
                state(Running),
                finished(1, Some(ResultStatus::Error)),
                50,
                Failed,
                end,
            ),
            (
                "a death fails",
                state(Running),
                finished(137, None),
                50,
                Failed,
                end,
            ),
            (
                "a cancelled run that died is cancelled",
                cancelled(Running),
                finished(137, None),
                50,
                Cancelled,
                end,
            ),
            (
                "a late run that was told to stop is late, not cancelled",
                state(Running),
                finished(130, Some(ResultStatus::Error)),
                101,
                Failed,
                save,
            ),
            (
                "a vanished run fails",
                state(Running),
                Observed::Nothing,
                50,
                Failed,
                end,
            ),
            (
                "an ended run stays ended",
                state(Succeeded),
                Observed::Nothing,
                50,
                Succeeded,
                &[],
            ),
        ] {
            let transition = next(&state, &seen, at(now));
            assert_eq!(
                (transition.phase, transition.effects.as_slice()),
                (phase, effects),
                "{name}"
            );
        }
    }

    prop_compose! {
        fn any_state()(phase in prop::sample::select(&RunPhase::ALL[..]), cancel: bool, slot: bool, asking: bool, deadline in prop::option::of(0i64..200)) -> RunState {
            RunState { phase, cancel, slot, asking, deadline: deadline.map(at) }
        }
    }

    fn any_sight() -> impl Strategy<Value = Observed> {
        prop_oneof![
            Just(Observed::Nothing),
            Just(Observed::Starting),
            Just(Observed::Running { since: at(0) }),
            (
                0..140,
                prop::option::of(prop::sample::select(vec![
                    ResultStatus::Success,
                    ResultStatus::Error
                ]))
            )
                .prop_map(|(code, status)| finished(code, status)),
        ]
    }

    proptest! {
        #[test]
        fn rights_are_revoked_on_every_way_to_an_end_and_ends_stay(state in any_state(), seen in any_sight(), now in 0i64..300) {
            let transition = next(&state, &seen, at(now));
            if state.phase.is_terminal() {
                prop_assert_eq!(transition, Transition::to(state.phase, &[]));
            } else if transition.phase.is_terminal() {
                prop_assert!(transition.effects.contains(&Effect::Revoke) && transition.ending.is_some());
            } else {
                prop_assert!(transition.ending.is_none());
            }
        }
    }
}
