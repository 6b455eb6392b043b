//! May runs spawn runs, how deep, and how many?

use super::finding::{Finding, strictest};
use super::{Policy, PolicyName, Question, RunRequest, Verdict};
use crate::run::SubagentLimits;

/// Whether a run may be spawned this deep, with so many siblings: by every policy, and by its instance's own limits.
pub fn decide_subagents(policies: &[Policy], request: &RunRequest) -> Verdict {
    let by_policies = policies.iter().map(|policy| {
        let rules = policy.subagents;
        let bounds = Bounds {
            policy: &policy.name,
            path: "subagentPolicy",
            max_depth: rules.max_depth,
            max_children: rules.max_children,
        };
        bounds.finding(request)
    });
    // Without any policy there is nothing to narrow: the instance's limits alone never allow.
    let instance = PolicyName("instance".to_owned());
    let own = (!policies.is_empty()).then(|| {
        let bounds = Bounds {
            policy: &instance,
            path: "agents.default.subagents",
            max_depth: Some(request.subagents.max_depth),
            max_children: Some(request.subagents.max_children),
        };
        bounds.finding(request)
    });
    strictest(
        Question::Subagents,
        "spec.parent.spawnDepth",
        by_policies.chain(own),
    )
}

/// How many runs of an instance may be under way at once: the lowest of all limits. Surplus runs wait.
pub fn max_concurrent(policies: &[Policy], instance: SubagentLimits) -> u32 {
    policies
        .iter()
        .filter_map(|policy| policy.subagents.max_concurrent)
        .fold(instance.max_concurrent, u32::min)
}

/// One side's limits. `None` = no limit.
struct Bounds<'a> {
    policy: &'a PolicyName,
    path: &'static str,
    max_depth: Option<u32>,
    max_children: Option<u32>,
}

impl Bounds<'_> {
    fn finding(&self, request: &RunRequest) -> Finding {
        let depth = request.depth;
        if let Some(most) = self.max_depth.filter(|most| depth > *most) {
            let reason = format!("The run would have depth {depth}; at most {most} is allowed.");
            return Finding::deny(self.policy, format!("{}.maxDepth", self.path), reason);
        }
        let full = self
            .max_children
            .filter(|most| depth > 0 && request.siblings.is_some_and(|n| n >= *most));
        if let Some(most) = full {
            let reason = format!("The parent has spawned {most} runs, which is the most that is allowed.");
            return Finding::deny(self.policy, format!("{}.maxChildrenPerAgent", self.path), reason);
        }
        Finding::allow(self.policy, self.path, format!("Depth {depth} is allowed."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyOrigin;

    #[test]
    fn as_many_runs_are_under_way_as_the_lowest_limit_says() {
        let policy = |most| {
            let mut policy = Policy::open(PolicyName("p".into()), PolicyOrigin::Instance);
            policy.subagents.max_concurrent = most;
            policy
        };
        let own = SubagentLimits::default();
        assert_eq!(max_concurrent(&[], own), 5);
        assert_eq!(max_concurrent(&[policy(None), policy(Some(9))], own), 5);
        assert_eq!(max_concurrent(&[policy(Some(3)), policy(Some(2))], own), 2);
    }
}
