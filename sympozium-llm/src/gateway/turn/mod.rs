//! One model turn: what is asked, what it may cost, who asks for it twice, and what is kept of it.
//!
//! | Step | Where |
//! | --- | --- |
//! | the conversation that goes upstream, the canonical request | `conversation`, pure |
//! | conversations that need not be read again | `kept` |
//! | two requests for one step become one | `flight` |
//! | begin, replay, commit | `task` |
//! | the model call and its repetitions | `call` |
//! | one attempt: reserve, stream, settle | `attempt` |

mod answer;
mod attempt;
mod call;
mod conversation;
mod flight;
mod kept;
mod task;

pub(crate) use call::audit;
pub(crate) use flight::{Flight, Follower};
pub(crate) use kept::Kept;
pub(crate) use task::{Turn, TurnInput, history, start};
