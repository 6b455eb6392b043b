//! What answers are made of: what speaks for an outcome, and which patterns fit.

use sympozium_core::policy::{Outcome, Pattern, Policy};

/// What one policy (or the run's own, or its instance) says: the outcome, and every rule that says so by itself.
pub(crate) struct Answer {
    pub(crate) policy: String,
    pub(crate) outcome: Outcome,
    pub(crate) rules: Vec<String>,
}

/// Allows by one of `allows`, unless there is anything in `denials`.
pub(super) fn answer(policy: &str, denials: Vec<String>, allows: Vec<String>) -> Answer {
    let denied = !denials.is_empty();
    Answer {
        policy: policy.to_owned(),
        outcome: if denied { Outcome::Deny } else { Outcome::Allow },
        rules: if denied { denials } else { allows },
    }
}

pub(super) fn each(policies: &[Policy], ask: impl Fn(&Policy) -> (Vec<String>, Vec<String>)) -> Vec<Answer> {
    let one = |policy: &Policy| {
        let (denials, allows) = ask(policy);
        answer(&policy.name.0, denials, allows)
    };
    policies.iter().map(one).collect()
}

pub(super) fn one(rule: &str) -> Vec<String> {
    vec![rule.to_owned()]
}

/// The rules of which the condition holds.
pub(super) fn holding(rules: &[(bool, &str)]) -> Vec<String> {
    rules
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, rule)| (*rule).to_owned())
        .collect()
}

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|i| glob(rest, &name[i..])),
        Some((c, rest)) => name.first() == Some(c) && glob(rest, &name[1..]),
    }
}

pub(super) fn fits(pattern: &Pattern, name: &str) -> bool {
    glob(pattern.as_str().as_bytes(), name.as_bytes())
}

/// All the places in a list of which something holds, as rules.
pub(super) fn places<T>(path: &str, list: &[T], holds: impl Fn(&T) -> bool) -> Vec<String> {
    let all = list.iter().enumerate();
    all.filter(|(_, item)| holds(item))
        .map(|(i, _)| format!("{path}[{i}]"))
        .collect()
}
