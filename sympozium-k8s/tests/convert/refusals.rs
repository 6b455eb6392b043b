//! What policies refuse of a run that was made from objects.

use crate::objects::{check, objects, policy, with};
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{Policy, PolicyOrigin, decide};
use sympozium_core::run::RunPlan;
use sympozium_k8s::convert::{self, PackEntry, PlanInputs};

/// The plan of a text under a policy.
fn plan_under(policy_spec: &str, text: &str) -> (RunPlan, Vec<Policy>) {
    let policies = vec![policy(policy_spec, PolicyOrigin::Instance).unwrap().policy];
    let found = objects(text);
    let packs: Vec<_> = found
        .packs
        .iter()
        .map(|pack| PackEntry { pack, builtin: false })
        .collect();
    let plan = convert::plan(&PlanInputs {
        run: &found.run.unwrap(),
        uid: RunUid::random(),
        namespace: &Namespace::new("local").unwrap(),
        instance: &found.instance.unwrap(),
        policies: &policies,
        packs: &packs,
        config_maps: &[],
        secrets: None,
    });
    (plan.unwrap(), policies)
}

/// The denials of a run under a policy, as `field: rule`.
fn denials(policy_spec: &str, text: &str) -> Vec<String> {
    let (plan, policies) = plan_under(policy_spec, text);
    let decision = decide(&policies, &convert::run_request(&plan));
    decision
        .denials()
        .map(|verdict| format!("{}: {}", verdict.field, verdict.rule))
        .collect()
}

#[test]
fn a_sandbox_without_limits_gets_what_the_policies_leave_it() {
    let maxima = "sandboxPolicy: {maxCPU: 1500m, maxMemory: 1Gi}";
    let sandbox = |resources: &str| {
        with(&[(
            "run",
            &format!("  sandbox: {{enabled: true, resources: {{{resources}}}}}"),
        )])
    };
    let (plan, _) = plan_under(maxima, &sandbox("limits: {cpu: 1}"));
    let limits = plan.sandbox.unwrap().limits;
    assert_eq!(
        (limits["cpu"].as_str(), limits["memory"].as_str()),
        ("1", "1073741824")
    );
    let none: [&str; 0] = [];
    assert_eq!(denials(maxima, &sandbox("")), none);
    assert_eq!(denials(maxima, &sandbox("limits: {memory: 1024Mi}")), none);
    for too_much in ["limits: {memory: 1025Mi}", "requests: {memory: 2Gi}"] {
        assert_eq!(
            denials(maxima, &sandbox(too_much)),
            ["spec.sandbox: sandboxPolicy.maxMemory"]
        );
    }
    assert_eq!(
        denials(maxima, &sandbox("limits: {cpu: 1501m}")),
        ["spec.sandbox: sandboxPolicy.maxCPU"]
    );
}

#[test]
fn a_run_is_refused_for_what_it_can_not_do_without_and_for_nothing_else() {
    let skilled = |pack: &str| {
        with(&[
            ("pack", pack),
            (
                "run",
                "  skills: [{skillPackRef: counting}]\n  parent: {runName: a, spawnDepth: 3}",
            ),
            ("instance", "  memory: {enabled: true}"),
        ])
    };
    let plain = skilled("");
    let everything_off = "featureGates: {code-execution: false, file-access: false, browser-automation: false, \
                          sub-agents: false, memory: false, schedules: false, channels: false}";
    let depth = "spec.parent.spawnDepth: agents.default.subagents.maxDepth";
    assert_eq!(
        denials(everything_off, &plain),
        [
            depth,
            "spec.parent: featureGates.sub-agents",
            "spec.memory.enabled: featureGates.memory"
        ]
    );
    let browser = skilled("  category: browser\n  sidecar: {image: x}");
    assert_eq!(
        denials(
            "featureGates: {browser-automation: false, code-execution: false}",
            &browser
        ),
        [
            depth,
            "spec.skills[0]: featureGates.code-execution",
            "spec.skills[0]: featureGates.browser-automation"
        ]
    );
    let deny_writing = "toolGating: {rules: [{tool: write_file, action: deny}]}";
    assert_eq!(denials(deny_writing, &plain), [depth]);
    let needs = plain.replace(
        "content: Count.",
        "content: Count., requires: {tools: [write_file]}",
    );
    assert_eq!(
        denials(deny_writing, &needs),
        [depth, "spec.skills[0]: toolGating.rules[0]"]
    );
}

#[test]
fn a_tool_that_a_skill_needs_must_have_a_tools_name() {
    let text = with(&[("run", "  skills: [{skillPackRef: counting}]")]).replace(
        "content: Count.",
        "content: Count., requires: {tools: [read_file, 'read file']}",
    );
    check(
        &text,
        &[
            "spec.skills[0].requires.tools[1]: \"read file\" is not a valid tool name: 1 to 64 characters of a-z, A-Z, \
             0-9, `_` and `-`",
        ],
    );
}
