//! Runs that start by the clock: when they are due ([`Expression`]), and what to do about it now ([`due`]).
//!
//! Pure: the caller supplies the time. A tick is identified by the moment at which it was due, and the name of its run
//! follows from the schedule's UID and that moment ([`tick_id`]), so that nobody can start it twice.

mod due;
mod expression;

pub use due::{MOST_MISSED, Missed, Plan, State, Tick, due, tick_id};
pub use expression::{Expression, ScheduleError};
