//! Policy evaluation against a slow, obvious oracle: 100,000 generated cases.
//!
//! The oracle shares no code with the evaluation: it matches globs by trying every split, and finds the strictest answer
//! by writing all of them down.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use sympozium_core::ids::{ModelName, ProviderName, ToolName};
use sympozium_core::policy::{
    Feature, ModelRules, Outcome, Pattern, Policy, PolicyName, PolicyOrigin, RunToolPolicy, ToolAction,
    ToolGate, ToolRule, decide_model, decide_tool,
};

const TOOLS: [&str; 6] = [
    "read_file",
    "write_file",
    "execute_command",
    "fetch_url",
    "kubectl_get",
    "ab",
];
const PATTERNS: [&str; 12] = [
    "read_file",
    "write_file",
    "execute_command",
    "kubectl_get",
    "*",
    "*_file",
    "read_*",
    "re*le",
    "kubectl_*",
    "ab",
    "a*b",
    "**",
];
const MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "claude", "x/gpt-4o"];
const MODEL_PATTERNS: [&str; 8] = [
    "gpt-4o",
    "gpt-*",
    "openai/*",
    "openai/gpt-4o",
    "*",
    "x/*",
    "*/claude",
    "claude",
];

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|i| glob(rest, &name[i..])),
        Some((c, rest)) => name.first() == Some(c) && glob(rest, &name[1..]),
    }
}

fn fits(pattern: &Pattern, name: &str) -> bool {
    glob(pattern.as_str().as_bytes(), name.as_bytes())
}

fn oracle_one(default: ToolAction, rules: &[(&Pattern, ToolAction)], tool: &str) -> Outcome {
    let fitting: Vec<_> = rules.iter().filter(|(pattern, _)| fits(pattern, tool)).collect();
    let exact: Vec<_> = fitting
        .iter()
        .filter(|(pattern, _)| !pattern.as_str().contains('*'))
        .collect();
    let actions: Vec<ToolAction> = if exact.is_empty() {
        fitting.iter().map(|(_, a)| *a).collect()
    } else {
        exact.iter().map(|(_, a)| *a).collect()
    };
    if actions.contains(&ToolAction::Deny) {
        Outcome::Deny
    } else if actions.contains(&ToolAction::Ask) {
        Outcome::Ask
    } else if actions.contains(&ToolAction::Allow) {
        Outcome::Allow
    } else {
        default.into()
    }
}

fn oracle_tool(gate: &ToolGate, tool: &str) -> Outcome {
    let feature = match tool {
        "execute_command" | "kubectl_get" => Some(Feature::CodeExecution),
        "read_file" | "write_file" => Some(Feature::FileAccess),
        "fetch_url" => Some(Feature::BrowserAutomation),
        _ => None,
    };
    let mut answers = Vec::new();
    for layer in &gate.layers {
        let rules: Vec<_> = layer.tools.rules.iter().map(|r| (&r.tool, r.action)).collect();
        answers.push(oracle_one(layer.tools.default_action, &rules, tool));
        if feature.is_some_and(|f| layer.features.get(&f) == Some(&false)) {
            answers.push(Outcome::Deny);
        }
    }
    if gate.layers.is_empty() {
        answers.push(Outcome::Deny);
    }
    let mut own: Vec<_> = gate.run.allow.iter().map(|p| (p, ToolAction::Allow)).collect();
    own.extend(gate.run.deny.iter().map(|p| (p, ToolAction::Deny)));
    let default = if gate.run.allow.is_empty() {
        ToolAction::Allow
    } else {
        ToolAction::Deny
    };
    answers.push(oracle_one(default, &own, tool));
    answers.into_iter().max().unwrap()
}

fn oracle_model(policies: &[Policy], provider: &str, model: &str) -> Outcome {
    let full = format!("{provider}/{model}");
    let mut outcome = if policies.is_empty() {
        Outcome::Deny
    } else {
        Outcome::Allow
    };
    for policy in policies {
        let denied = policy
            .models
            .deny
            .iter()
            .any(|p| fits(p, model) || fits(p, &full));
        let listed = policy.models.allow.is_empty()
            || policy.models.allow.iter().any(|p| {
                if p.as_str().contains('/') {
                    fits(p, &full)
                } else {
                    fits(p, model)
                }
            });
        if denied || !listed {
            outcome = Outcome::Deny;
        }
    }
    outcome
}

fn pattern(from: &'static [&'static str]) -> impl Strategy<Value = Pattern> {
    prop::sample::select(from).prop_map(|text| Pattern::new(text).unwrap())
}

fn action() -> impl Strategy<Value = ToolAction> {
    prop::sample::select(vec![ToolAction::Allow, ToolAction::Ask, ToolAction::Deny])
}

prop_compose! {
    fn policy()(
        default_action in action(),
        rules in prop::collection::vec((pattern(&PATTERNS), action()), 0..5),
        features in prop::collection::btree_map(prop::sample::select(&Feature::ALL[..]), any::<bool>(), 0..3),
        allow in prop::collection::vec(pattern(&MODEL_PATTERNS), 0..3),
        deny in prop::collection::vec(pattern(&MODEL_PATTERNS), 0..2),
    ) -> Policy {
        let mut policy = Policy::open(PolicyName("p".into()), PolicyOrigin::Namespace);
        policy.tools.default_action = default_action;
        policy.tools.rules = rules.into_iter().map(|(tool, action)| ToolRule { tool, action }).collect();
        policy.features = BTreeMap::from_iter(features);
        policy.models = ModelRules { allow, deny };
        policy
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn evaluation_agrees_with_the_oracle(
        policies in prop::collection::vec(policy(), 0..4),
        allow in prop::collection::vec(pattern(&PATTERNS), 0..3),
        deny in prop::collection::vec(pattern(&PATTERNS), 0..3),
        tool in prop::sample::select(&TOOLS[..]),
        model in prop::sample::select(&MODELS[..]),
        provider in prop::sample::select(vec!["openai", "x"]),
    ) {
        let gate = ToolGate {
            layers: policies.iter().map(Policy::gate_layer).collect(),
            run: RunToolPolicy { allow, deny },
            typed_tools: vec![ToolName::new("kubectl_get").unwrap()],
        };
        let verdict = decide_tool(&gate, &ToolName::new(tool).unwrap());
        prop_assert_eq!(verdict.outcome, oracle_tool(&gate, tool));
        prop_assert!(gate.layers.is_empty() || !verdict.rule.is_empty());
        let verdict = decide_model(&policies, &ProviderName::new(provider).unwrap(), &ModelName::new(model).unwrap());
        prop_assert_eq!(verdict.outcome, oracle_model(&policies, provider, model));
    }
}
