//! Policies as objects.

use crate::objects::policy;
use std::collections::BTreeMap;
use sympozium_core::policy::{Cap, Feature, Outcome, Policy, PolicyName, PolicyOrigin};
use sympozium_k8s::convert::NoteReason;

#[test]
fn a_policy_that_says_nothing_allows_everything() {
    let reading = policy("{}", PolicyOrigin::Instance).unwrap();
    assert_eq!(
        reading.policy,
        Policy::open(PolicyName("p".to_owned()), PolicyOrigin::Instance)
    );
    assert_eq!(reading.notes, []);
}

#[test]
fn what_a_policy_can_not_change_is_noted() {
    let spec = "sandboxPolicy: {allowHostMounts: true}
networkPolicy: {denyAll: false, allowDNS: true, allowEventBus: false}
featureGates: {memory: false, telepathy: true}";
    let reading = policy(spec, PolicyOrigin::Instance).unwrap();
    let notes: Vec<_> = reading
        .notes
        .iter()
        .map(|note| (note.path.as_str(), note.reason))
        .collect();
    let partly = NoteReason::PartlyHonoured;
    assert_eq!(
        notes,
        [
            ("spec.sandboxPolicy.allowHostMounts", partly),
            ("spec.featureGates.telepathy", NoteReason::UnknownFeatureGate),
            ("spec.networkPolicy.denyAll", partly),
            ("spec.networkPolicy.allowDNS", partly),
            ("spec.networkPolicy.allowEventBus", partly),
        ]
    );
    assert_eq!(
        reading.policy.features,
        BTreeMap::from([(Feature::Memory, false)])
    );
    let plain = "networkPolicy: {denyAll: true, allowDNS: false, allowEventBus: true}";
    assert_eq!(policy(plain, PolicyOrigin::Instance).unwrap().notes, []);
}

#[test]
fn the_fields_of_a_policy_arrive() {
    let spec = "sandboxPolicy: {required: true, maxCPU: 500m, maxMemory: 1Gi}
subagentPolicy: {maxConcurrent: 2}
toolGating: {defaultAction: deny, rules: [{tool: 'read_*', action: ask}]}
networkPolicy: {allowedEgress: [{host: A.example, port: 443}], requireEnforced: true}
images: {allow: []}
egress: {hosts: [{host: A.example, private: true}]}
budget: {perDay: {usd: 0.5, tokens: 7}}";
    let policy = policy(spec, PolicyOrigin::InstallWide).unwrap().policy;
    assert_eq!(
        (policy.sandbox.max_cpu_millis, policy.sandbox.max_memory_bytes),
        (Some(500), Some(1 << 30))
    );
    assert_eq!(
        (policy.subagents.max_depth, policy.subagents.max_concurrent),
        (Some(3), Some(2))
    );
    assert_eq!(Outcome::from(policy.tools.default_action), Outcome::Deny);
    assert_eq!(policy.network.allowed_egress.unwrap()[0].host, "a.example");
    assert!(policy.network.require_enforced);
    assert_eq!(policy.images, Some(vec![]));
    assert!(policy.egress.unwrap().hosts[0].private);
    assert_eq!(
        policy.budget.per_day,
        Cap {
            tokens: Some(7),
            micro_usd: Some(500_000)
        }
    );
}

#[test]
fn a_wrong_policy_is_refused_by_path() {
    for (spec, expected) in [
        ("models: {deny: ['x y']}", "spec.models.deny[0]"),
        (
            "egress: {hosts: [{host: a.example, private: true}]}",
            "spec.egress.hosts[0].private",
        ),
        (
            "toolGating: {rules: [{tool: 'a b', action: deny}]}",
            "spec.toolGating.rules[0].tool",
        ),
        ("budget: {perRun: {tokens: -1}}", "spec.budget.perRun.tokens"),
        (
            "subagentPolicy: {maxConcurrent: 0}",
            "spec.subagentPolicy.maxConcurrent",
        ),
    ] {
        let error = policy(spec, PolicyOrigin::Instance).unwrap_err();
        assert_eq!(error.problems[0].path, expected, "{error}");
        assert_eq!(error.problems[0].object, "SympoziumPolicy p");
    }
}
