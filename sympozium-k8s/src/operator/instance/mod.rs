//! What comes next for an instance: its status, from what it names and what is under way. Pure.

use super::conditions::{ConditionType, Said, Truth, set};
use crate::crd::v1alpha1::{InstancePhase, SympoziumInstance, SympoziumInstanceStatus};
use jiff::{SignedDuration, Timestamp};

/// How often the counts of an instance are written at most: they change with every run.
pub const COUNT_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// All that is known of an instance.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The instance as its object stands.
    pub instance: &'a SympoziumInstance,
    /// Whether the policy that it names is there; `true` if it names none.
    pub has_policy: bool,
    /// Skills that it names and that are not there.
    pub missing_skills: &'a [String],
    /// Its runs that have a slot.
    pub active: usize,
    /// Runs that have begun since its status was last written.
    pub begun: u64,
    /// Whether NetworkPolicies hold in this cluster; `None` = nobody has looked.
    pub network_enforced: Option<bool>,
    /// When only its counts were last written.
    pub counted_at: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

/// What comes next for an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status that is to stand.
    pub status: SympoziumInstanceStatus,
    /// When to write it: `None` = now; only counts can wait.
    pub not_before: Option<Timestamp>,
}

/// What comes next for an instance.
pub fn decide(view: &View<'_>) -> Decision {
    let before = view.instance.status.clone().unwrap_or_default();
    let generation = view.instance.metadata.generation;
    let mut status = before.clone();
    status.observed_generation = generation;
    let said = ready(view);
    status.phase = Some(if said.truth == Truth::True {
        InstancePhase::Running
    } else {
        InstancePhase::Error
    });
    set(&mut status.conditions, said, generation, view.now);
    set(
        &mut status.conditions,
        network(view.network_enforced),
        generation,
        view.now,
    );
    let only_counts = status == before;
    status.active_agent_pods = i64::try_from(view.active).unwrap_or(i64::MAX);
    let begun = i64::try_from(view.begun).unwrap_or(i64::MAX);
    status.total_agent_runs = status.total_agent_runs.saturating_add(begun);
    let rested = view.counted_at.and_then(|at| at.saturating_add(COUNT_PAUSE).ok());
    Decision {
        not_before: rested.filter(|at| only_counts && status != before && view.now < *at),
        status,
    }
}

fn ready(view: &View<'_>) -> Said {
    if !view.has_policy {
        let name = view.instance.spec.policy_ref.as_deref().unwrap_or_default();
        let message = format!("There is no SympoziumPolicy {name}; runs are refused.");
        return Said::new(ConditionType::Ready, false, "PolicyNotFound", message);
    }
    if !view.missing_skills.is_empty() {
        let message = format!("There is no {}.", view.missing_skills.join(", no "));
        return Said::new(ConditionType::Ready, false, "SkillNotFound", message);
    }
    Said::new(ConditionType::Ready, true, "Usable", "The instance takes runs.")
}

fn network(enforced: Option<bool>) -> Said {
    let (truth, reason, message) = match enforced {
        Some(true) => (Truth::True, "Probed", "NetworkPolicies hold in this cluster."),
        Some(false) => (
            Truth::False,
            "Probed",
            "NetworkPolicies do not hold in this cluster: pods of runs reach whatever the network lets them.",
        ),
        None => (
            Truth::Unknown,
            "NotProbed",
            "Nobody has looked whether NetworkPolicies hold in this cluster.",
        ),
    };
    Said::new(ConditionType::NetworkEnforced, truth, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn instance() -> SympoziumInstance {
        let spec = json!({"agents": {"default": {"model": "gpt-4o"}}, "policyRef": "strict"});
        SympoziumInstance::new("sre", serde_json::from_value(spec).unwrap())
    }

    fn view(instance: &SympoziumInstance) -> View<'_> {
        View {
            instance,
            has_policy: true,
            missing_skills: &[],
            active: 2,
            begun: 1,
            network_enforced: Some(true),
            counted_at: None,
            now: at(100),
        }
    }

    fn reason(decision: &Decision) -> &str {
        &decision.status.conditions[0].reason
    }

    #[test]
    fn an_instance_says_what_it_misses() {
        let instance = instance();
        let usable = decide(&view(&instance));
        assert_eq!(
            (reason(&usable), usable.status.phase),
            ("Usable", Some(InstancePhase::Running))
        );
        let policy = decide(&View {
            has_policy: false,
            ..view(&instance)
        });
        assert_eq!(
            (reason(&policy), policy.status.phase),
            ("PolicyNotFound", Some(InstancePhase::Error))
        );
        let missing = ["SkillPack ops".to_owned()];
        let skill = decide(&View {
            missing_skills: &missing,
            ..view(&instance)
        });
        assert_eq!(reason(&skill), "SkillNotFound");
        let unknown = decide(&View {
            network_enforced: None,
            ..view(&instance)
        });
        assert_eq!(unknown.status.conditions[1].status, "Unknown");
    }

    #[test]
    fn counts_add_up_and_are_written_now_and_then() {
        let mut instance = instance();
        let first = decide(&view(&instance));
        assert_eq!((first.status.total_agent_runs, first.not_before), (1, None));
        instance.status = Some(first.status);
        let soon = View {
            begun: 3,
            active: 5,
            counted_at: Some(at(100)),
            now: at(104),
            ..view(&instance)
        };
        let decision = decide(&soon);
        assert_eq!(
            (decision.status.total_agent_runs, decision.not_before),
            (4, Some(at(110)))
        );
        assert_eq!(decide(&View { now: at(110), ..soon }).not_before, None);
        let unchanged = View { begun: 0, ..soon };
        assert_eq!(
            decide(&View {
                active: 2,
                ..unchanged
            })
            .status,
            instance.status.clone().unwrap()
        );
        // What people must know does not wait.
        assert_eq!(
            decide(&View {
                has_policy: false,
                ..soon
            })
            .not_before,
            None
        );
    }
}
