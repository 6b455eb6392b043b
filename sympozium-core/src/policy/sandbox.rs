//! May a run have this sandbox, and how large may it be?

use super::finding::{Finding, strictest};
use super::{Policy, Question, SandboxRequest, Verdict};

/// The most that a sandbox may have by all policies together. `None` = no policy says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SandboxCeiling {
    /// CPU, in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
}

/// The limits of a sandbox for which nobody named any.
pub fn sandbox_ceiling(policies: &[Policy]) -> SandboxCeiling {
    let rules = || policies.iter().map(|policy| &policy.sandbox);
    SandboxCeiling {
        cpu_millis: rules().filter_map(|rules| rules.max_cpu_millis).min(),
        memory_bytes: rules().filter_map(|rules| rules.max_memory_bytes).min(),
    }
}

/// Whether a run may have this sandbox, or none.
pub fn decide_sandbox(policies: &[Policy], sandbox: Option<&SandboxRequest>) -> Verdict {
    let findings = policies.iter().map(|policy| {
        let rules = &policy.sandbox;
        let name = &policy.name;
        let Some(sandbox) = sandbox else {
            return if rules.required {
                Finding::deny(
                    name,
                    "sandboxPolicy.required",
                    "A sandbox is required; set spec.sandbox.enabled: true.",
                )
            } else {
                Finding::allow(name, "sandboxPolicy", "No sandbox is required.")
            };
        };
        let over =
            |wanted: Option<u64>, most: Option<u64>| wanted.zip(most).filter(|(wanted, most)| wanted > most);
        if let Some((wanted, most)) = over(sandbox.cpu_millis, rules.max_cpu_millis) {
            let reason = format!("The sandbox asks for {wanted}m CPU; at most {most}m are allowed.");
            return Finding::deny(name, "sandboxPolicy.maxCPU", reason);
        }
        if let Some((wanted, most)) = over(sandbox.memory_bytes, rules.max_memory_bytes) {
            let reason =
                format!("The sandbox asks for {wanted} bytes of memory; at most {most} are allowed.");
            return Finding::deny(name, "sandboxPolicy.maxMemory", reason);
        }
        Finding::allow(name, "sandboxPolicy", "The sandbox is allowed.")
    });
    strictest(Question::Sandbox, "spec.sandbox", findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Outcome, PolicyName, PolicyOrigin};

    fn policy(name: &str, required: bool, cpu: Option<u64>, memory: Option<u64>) -> Policy {
        let mut policy = Policy::open(PolicyName(name.into()), PolicyOrigin::Instance);
        policy.sandbox.required = required;
        policy.sandbox.max_cpu_millis = cpu;
        policy.sandbox.max_memory_bytes = memory;
        policy
    }

    #[test]
    fn a_sandbox_must_be_there_where_it_is_required_and_fit_under_every_maximum() {
        let policies = [
            policy("a", true, Some(2000), None),
            policy("b", false, Some(500), Some(64)),
        ];
        let ask = |sandbox: Option<(Option<u64>, Option<u64>)>| {
            let sandbox = sandbox.map(|(cpu_millis, memory_bytes)| SandboxRequest {
                image: None,
                cpu_millis,
                memory_bytes,
            });
            let verdict = decide_sandbox(&policies, sandbox.as_ref());
            (verdict.outcome, verdict.policy.0, verdict.rule)
        };
        let deny = |policy: &str, rule: &str| (Outcome::Deny, policy.to_owned(), rule.to_owned());
        let allow = (Outcome::Allow, "a".to_owned(), "sandboxPolicy".to_owned());
        assert_eq!(ask(None), deny("a", "sandboxPolicy.required"));
        assert_eq!(ask(Some((Some(500), Some(64)))), allow);
        assert_eq!(ask(Some((None, None))), allow);
        assert_eq!(ask(Some((Some(501), None))), deny("b", "sandboxPolicy.maxCPU"));
        assert_eq!(ask(Some((Some(2001), None))), deny("a", "sandboxPolicy.maxCPU"));
        assert_eq!(ask(Some((None, Some(65)))), deny("b", "sandboxPolicy.maxMemory"));
        let ceiling = SandboxCeiling {
            cpu_millis: Some(500),
            memory_bytes: Some(64),
        };
        assert_eq!(sandbox_ceiling(&policies), ceiling);
        assert_eq!(sandbox_ceiling(&[]), SandboxCeiling::default());
    }
}
