//! What comes next for a run: [`decide`] says it, purely, from all that is known ([`RunView`]).

mod admit;
mod after;
mod decide;
mod end;
mod event;
mod evidence;
mod history;
mod seen;
mod status;
#[cfg(test)]
mod tests;
mod view;

pub use admit::{Admission, AdmitInputs, HoldingPolicy, admit};
pub use after::{After, AfterView, after};
pub use decide::{RunDecision, RunEffect, Stop, decide};
pub use end::{End, MOST_RESULT};
pub use event::end_event;
pub use evidence::{
    Found, Origin, ResultSource, SourceError, TerminationMessages, Wanted, first_of, from_termination_message,
};
pub use history::{Ended, beyond};
pub use seen::{ContainerSeen, PodSeen};
pub use view::{Gate, POD_NET, Presence, RUNNER_GRACE, RunTiming, RunView, was_made};
