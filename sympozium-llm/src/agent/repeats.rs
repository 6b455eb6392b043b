//! Notices a model that makes the same calls again and again and gets the same answers.
//!
//! Pure. Rounds need not follow each other directly, so that two calls in turn are noticed as well.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use sympozium_core::chat::{ToolCall, ToolResult};

/// How many equal rounds are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatLimits {
    /// At this many the model is told. Default 3.
    pub warn: u32,
    /// At this many the loop asks for an answer and ends. Default 5.
    pub end: u32,
}

impl Default for RepeatLimits {
    fn default() -> Self {
        Self { warn: 3, end: 5 }
    }
}

/// Rounds that are remembered.
const WINDOW: usize = 12;

/// What to do about a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repetition {
    Fine,
    Warn(u32),
    End,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Repeats {
    limits: RepeatLimits,
    recent: VecDeque<u64>,
}

impl Repeats {
    pub(crate) fn new(limits: RepeatLimits) -> Self {
        Self {
            limits,
            recent: VecDeque::with_capacity(WINDOW),
        }
    }

    pub(crate) fn judge(&mut self, calls: &[ToolCall], results: &[ToolResult]) -> Repetition {
        let mark = fingerprint(calls, results);
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(mark);
        let times = u32::try_from(self.recent.iter().filter(|m| **m == mark).count()).unwrap_or(u32::MAX);
        if times >= self.limits.end {
            Repetition::End
        } else if times >= self.limits.warn {
            Repetition::Warn(times)
        } else {
            Repetition::Fine
        }
    }
}

fn fingerprint(calls: &[ToolCall], results: &[ToolResult]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for call in calls {
        (call.name.as_str(), call.arguments.to_string()).hash(&mut hasher);
    }
    for result in results {
        (&result.content, result.is_error).hash(&mut hasher);
    }
    hasher.finish()
}
