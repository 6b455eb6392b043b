//! Conditions, as the Kubernetes API conventions want them: a time changes only when the status does.
//!
//! Pure. Entry: [`set`].

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Conditions that the operator writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// Runs: nothing forbids the run, and it was taken on.
    Admitted,
    /// Runs: the agent's container is up.
    PodReady,
    /// Runs: it has ended, in whatever way; the reason is the phase.
    Complete,
    /// Runs: something that the run sent never arrived.
    EventsLost,
    /// All others: it can be used as it is.
    Ready,
    /// Instances: NetworkPolicies are known to hold in this cluster.
    NetworkEnforced,
    /// Schedules: ticks passed without a run.
    Missed,
}

impl ConditionType {
    /// The name in `conditions[].type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "Admitted",
            Self::PodReady => "PodReady",
            Self::Complete => "Complete",
            Self::EventsLost => "EventsLost",
            Self::Ready => "Ready",
            Self::NetworkEnforced => "NetworkEnforced",
            Self::Missed => "Missed",
        }
    }
}

/// The three answers of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Yes.
    True,
    /// No.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// The word in `conditions[].status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(yes: bool) -> Self {
        if yes { Self::True } else { Self::False }
    }
}

/// What is said now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// About what.
    pub kind: ConditionType,
    /// The answer.
    pub truth: Truth,
    /// Why, in one CamelCase word.
    pub reason: &'static str,
    /// Why, for people. Cut at 1,024 characters.
    pub message: String,
}

impl Said {
    /// An answer.
    pub fn new(
        kind: ConditionType,
        truth: impl Into<Truth>,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            truth: truth.into(),
            reason,
            message: message.into().chars().take(1024).collect(),
        }
    }
}

/// Puts an answer among the others. Its time stays when the answer was the same before.
pub fn set(conditions: &mut Vec<Condition>, said: Said, generation: Option<i64>, now: Timestamp) {
    let status = said.truth.as_str();
    let before = find(conditions, said.kind).cloned();
    let since = match &before {
        Some(old) if old.status == status => old.last_transition_time.clone(),
        Some(_) | None => Time(second(now)),
    };
    let new = Condition {
        type_: said.kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: said.reason.to_owned(),
        message: said.message,
        observed_generation: generation,
        last_transition_time: since,
    };
    match conditions.iter_mut().find(|old| old.type_ == new.type_) {
        Some(old) => *old = new,
        None => conditions.push(new),
    }
}

/// The condition of this type.
pub fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == kind.as_str())
}

/// A moment as Kubernetes keeps it: without parts of a second. What is written must be what is read, or every look
/// would find a difference.
pub fn second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_is_that_of_the_last_change_of_the_answer() {
        let mut all = Vec::new();
        let said = |truth: bool, message: &str| Said::new(ConditionType::Ready, truth, "Because", message);
        set(&mut all, said(true, "a"), Some(1), at(10));
        set(&mut all, said(true, "b"), Some(2), at(20));
        assert_eq!(all[0].last_transition_time, Time(at(10)));
        assert_eq!(
            (all[0].message.as_str(), all[0].observed_generation),
            ("b", Some(2))
        );
        set(&mut all, said(false, "c"), Some(2), at(30));
        assert_eq!(all[0].last_transition_time, Time(at(30)));
        assert_eq!(all.len(), 1);
    }
}
