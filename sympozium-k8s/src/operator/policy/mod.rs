//! What comes next for a policy: its status, from what it says and who names it. Pure.

use super::conditions::{ConditionType, Said, set};
use crate::convert::{self, Note};
use crate::crd::v1alpha1::{SympoziumPolicy, SympoziumPolicyStatus};
use jiff::Timestamp;
use std::collections::BTreeMap;
use sympozium_core::policy::{PolicyName, PolicyOrigin};

/// The status that is to stand. `bound` is the number of instances of its namespace that name the policy; `install_wide`
/// says whether it is the installation's own, which may do more.
pub fn decide(
    policy: &SympoziumPolicy,
    bound: usize,
    install_wide: bool,
    now: Timestamp,
) -> SympoziumPolicyStatus {
    let generation = policy.metadata.generation;
    let mut status = policy.status.clone().unwrap_or_default();
    status.bound_instances = i64::try_from(bound).unwrap_or(i64::MAX);
    status.observed_generation = generation;
    set(
        &mut status.conditions,
        ready(policy, install_wide),
        generation,
        now,
    );
    status
}

fn ready(policy: &SympoziumPolicy, install_wide: bool) -> Said {
    let name = PolicyName(policy.metadata.name.clone().unwrap_or_default());
    let origin = if install_wide {
        PolicyOrigin::InstallWide
    } else {
        PolicyOrigin::Instance
    };
    match convert::policy(&policy.spec, name, origin) {
        Err(invalid) => Said::new(ConditionType::Ready, false, "Invalid", invalid.to_string()),
        Ok(reading) if reading.notes.is_empty() => Said::new(
            ConditionType::Ready,
            true,
            "Honoured",
            "All that the policy says holds.",
        ),
        Ok(reading) => noted(&reading.notes),
    }
}

/// What changes nothing, grouped by why. A policy that asks for less isolation still holds; it is only not all of it.
fn noted(notes: &[Note]) -> Said {
    let mut by_reason: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for note in notes {
        by_reason
            .entry(note.reason.explanation())
            .or_default()
            .push(&note.path);
    }
    let sentences: Vec<_> = by_reason
        .iter()
        .map(|(explanation, paths)| format!("{}: {explanation}.", paths.join(", ")))
        .collect();
    // Several reasons can hold at once, and a condition has room for one: the one of contracts, with all named.
    Said::new(ConditionType::Ready, true, "PartlyHonoured", sentences.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(spec: &Value, install_wide: bool, expected: (&str, &str), part: &str) {
        let policy = SympoziumPolicy::new("p", serde_json::from_value(spec.clone()).unwrap());
        let status = decide(&policy, 3, install_wide, Timestamp::UNIX_EPOCH);
        let ready = &status.conditions[0];
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), expected, "{spec}");
        assert!(ready.message.contains(part), "{}", ready.message);
        assert_eq!(status.bound_instances, 3);
    }

    #[test]
    fn a_policy_says_what_of_it_changes_nothing() {
        let honoured = ("True", "Honoured");
        let partly = ("True", "PartlyHonoured");
        check(&json!({}), false, honoured, "holds");
        let hosts = json!({"sandboxPolicy": {"allowHostMounts": true}});
        check(&hosts, false, partly, "spec.sandboxPolicy.allowHostMounts");
        let network = json!({"networkPolicy": {"denyAll": false, "allowDNS": true, "allowEventBus": false}});
        check(
            &network,
            false,
            partly,
            "spec.networkPolicy.denyAll, spec.networkPolicy.allowDNS",
        );
        let gate = json!({"featureGates": {"time-travel": true, "memory": false}});
        check(
            &gate,
            false,
            partly,
            "spec.featureGates.time-travel: changes nothing: there is no feature gate",
        );
    }

    #[test]
    fn what_can_not_be_read_is_not_ready() {
        let private = json!({"egress": {"hosts": [{"host": "db", "private": true}]}});
        check(&private, false, ("False", "Invalid"), "private");
        check(&private, true, ("True", "Honoured"), "holds");
        let pattern = json!({"models": {"deny": [""]}});
        check(&pattern, false, ("False", "Invalid"), "spec.models.deny[0]");
    }
}
