//! How single answers of single policies become one verdict: the strictest wins, the first of the strictest is named.

use super::{Outcome, PolicyName, Question, Verdict};

/// One policy's answer.
pub(super) struct Finding {
    pub(super) outcome: Outcome,
    pub(super) policy: PolicyName,
    pub(super) rule: String,
    pub(super) reason: String,
}

impl Finding {
    pub(super) fn allow(policy: &PolicyName, rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Allow,
            policy: policy.clone(),
            rule: rule.into(),
            reason: reason.into(),
        }
    }

    pub(super) fn deny(policy: &PolicyName, rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Deny,
            policy: policy.clone(),
            rule: rule.into(),
            reason: reason.into(),
        }
    }
}

/// The verdict of the intersection. No finding at all means that no policy could be read, which refuses.
pub(super) fn strictest(
    question: Question,
    field: &str,
    findings: impl IntoIterator<Item = Finding>,
) -> Verdict {
    let mut found: Option<Finding> = None;
    for finding in findings {
        if found
            .as_ref()
            .is_none_or(|strictest| finding.outcome > strictest.outcome)
        {
            found = Some(finding);
        }
    }
    let Finding {
        outcome,
        policy,
        rule,
        reason,
    } = found.unwrap_or_else(|| Finding {
        outcome: Outcome::Deny,
        policy: PolicyName("none".to_owned()),
        rule: String::new(),
        reason: "No policy could be read, and without one nothing is allowed.".to_owned(),
    });
    Verdict {
        question,
        outcome,
        policy,
        rule,
        field: field.to_owned(),
        reason,
    }
}
