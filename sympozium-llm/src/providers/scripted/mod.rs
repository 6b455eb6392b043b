//! A provider that plays a YAML script instead of calling a model. For demonstrations and tests; it needs no network.
//!
//! | Question | Where |
//! | --- | --- |
//! | What stands in a script? | `scenario`, strict, with line and column of what is wrong |
//! | How does an answer take up what tools said? | `template`, pure |
//! | Is the conversation where the script thinks it is? | `expect`, pure |
//! | Which events does a turn give? | `play`, pure |
//!
//! It keeps nothing between calls: which turn is played is told from the conversation alone, by the number of answers
//! in it. The same conversation always gets the same answer, so that a replayed step agrees with its record.
//!
//! The form of a script is described in `docs/reference/scripted.md`.

mod expect;
mod play;
mod provider;
mod scenario;
mod template;

pub use provider::{ScriptError, ScriptedProvider};
