//! May this tool be called?
//!
//! | Within one policy | Wins |
//! | --- | --- |
//! | a switched-off feature gate that the tool belongs to | over everything |
//! | a rule with the exact name | over rules with stars |
//! | among rules of one kind: deny | over ask, over allow |
//! | no rule | `defaultAction` |
//!
//! Across policies, and the run's own `toolPolicy`, the strictest answer holds.

use super::finding::{Finding, strictest};
use super::pattern::Name;
use super::{
    Feature, GateLayer, Pattern, PolicyName, Question, RunToolPolicy, ToolAction, ToolGate, ToolGating,
    Verdict,
};
use crate::ids::ToolName;

/// The built-in tools and the feature that each belongs to.
pub const TOOL_FEATURES: [(&str, Feature); 8] = [
    ("execute_command", Feature::CodeExecution),
    ("read_file", Feature::FileAccess),
    ("write_file", Feature::FileAccess),
    ("list_directory", Feature::FileAccess),
    ("fetch_url", Feature::BrowserAutomation),
    ("send_channel_message", Feature::Channels),
    ("schedule_task", Feature::Schedules),
    ("spawn_agent", Feature::SubAgents),
];

/// Whether a tool may be called, by which rule. An empty gate refuses.
pub fn decide_tool(gate: &ToolGate, tool: &ToolName) -> Verdict {
    let feature = feature_of(gate, tool);
    let layers = gate.layers.iter().map(|layer| by_layer(layer, feature, tool));
    // Without any layer there is nothing to narrow: the run's own policy alone never allows.
    let own = if gate.layers.is_empty() {
        None
    } else {
        by_run(&gate.run, tool)
    };
    strictest(Question::Tool(tool.clone()), "", layers.chain(own))
}

fn feature_of(gate: &ToolGate, tool: &ToolName) -> Option<Feature> {
    if gate.typed_tools.contains(tool) {
        return Some(Feature::CodeExecution);
    }
    TOOL_FEATURES
        .iter()
        .find(|(name, _)| *name == tool.as_str())
        .map(|(_, feature)| *feature)
}

fn by_layer(layer: &GateLayer, feature: Option<Feature>, tool: &ToolName) -> Finding {
    if let Some(feature) = feature.filter(|f| layer.features.get(f) == Some(&false)) {
        let name = feature.as_str();
        let reason = format!("The tool {tool} needs the feature {name}, which this policy switches off.");
        return Finding::deny(&layer.policy, format!("featureGates.{name}"), reason);
    }
    let ToolGating {
        default_action,
        rules,
    } = &layer.tools;
    let rules = rules.iter().map(|rule| (&rule.tool, rule.action));
    let (action, rule) = by_rules(rules, *default_action, tool);
    let rule = rule.map_or_else(
        || "toolGating.defaultAction".to_owned(),
        |i| format!("toolGating.rules[{i}]"),
    );
    finding(&layer.policy, tool, action, rule)
}

fn by_run(run: &RunToolPolicy, tool: &ToolName) -> Option<Finding> {
    if run.allow.is_empty() && run.deny.is_empty() {
        return None;
    }
    let allow = run.allow.iter().map(|pattern| (pattern, ToolAction::Allow));
    let deny = run.deny.iter().map(|pattern| (pattern, ToolAction::Deny));
    let default_action = if run.allow.is_empty() {
        ToolAction::Allow
    } else {
        ToolAction::Deny
    };
    let (action, rule) = by_rules(allow.chain(deny), default_action, tool);
    let rule = match rule {
        None => "toolPolicy.allow".to_owned(),
        Some(i) => match i.checked_sub(run.allow.len()) {
            None => format!("toolPolicy.allow[{i}]"),
            Some(i) => format!("toolPolicy.deny[{i}]"),
        },
    };
    Some(finding(&PolicyName("run".to_owned()), tool, action, rule))
}

/// The action, and the index of the rule that gave it.
fn by_rules<'a>(
    rules: impl Iterator<Item = (&'a Pattern, ToolAction)>,
    default_action: ToolAction,
    tool: &ToolName,
) -> (ToolAction, Option<usize>) {
    let name = Name::new(tool.as_str());
    let mut exact: Option<(ToolAction, usize)> = None;
    let mut starred: Option<(ToolAction, usize)> = None;
    for (i, (pattern, action)) in rules.enumerate() {
        let best = if pattern.is_exact() {
            &mut exact
        } else {
            &mut starred
        };
        // What could not win is not looked at: texts are compared last.
        let wins = best.is_none_or(|(so_far, _)| rank(action) > rank(so_far));
        if wins && pattern.fits(&name) {
            *best = Some((action, i));
        }
    }
    exact
        .or(starred)
        .map_or((default_action, None), |(action, i)| (action, Some(i)))
}

const fn rank(action: ToolAction) -> u8 {
    match action {
        ToolAction::Allow => 0,
        ToolAction::Ask => 1,
        ToolAction::Deny => 2,
    }
}

fn finding(policy: &PolicyName, tool: &ToolName, action: ToolAction, rule: String) -> Finding {
    let reason = match action {
        ToolAction::Allow => format!("The tool {tool} is allowed."),
        ToolAction::Ask => format!("The tool {tool} may be called after a person has agreed."),
        ToolAction::Deny => format!("The tool {tool} is not allowed."),
    };
    Finding {
        outcome: action.into(),
        policy: policy.clone(),
        rule,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Outcome, Policy, PolicyOrigin, ToolRule};

    fn gate(default: ToolAction, rules: &[(&str, ToolAction)]) -> ToolGate {
        let mut policy = Policy::open(PolicyName("p".into()), PolicyOrigin::Instance);
        policy.tools.default_action = default;
        policy.tools.rules = rules
            .iter()
            .map(|(t, action)| ToolRule {
                tool: Pattern::new(*t).unwrap(),
                action: *action,
            })
            .collect();
        ToolGate {
            layers: vec![policy.gate_layer()],
            ..ToolGate::default()
        }
    }

    fn check(gate: &ToolGate, tool: &str, outcome: Outcome, rule: &str) {
        let verdict = decide_tool(gate, &ToolName::new(tool).unwrap());
        assert_eq!(
            (verdict.outcome, verdict.rule.as_str()),
            (outcome, rule),
            "{tool}"
        );
    }

    #[test]
    fn exact_beats_glob_then_deny_beats_ask_beats_allow_then_the_default() {
        use ToolAction::{Allow, Ask, Deny};
        let gate = gate(
            Ask,
            &[
                ("read_*", Deny),
                ("read_file", Allow),
                ("*_file", Allow),
                ("x", Allow),
                ("x", Ask),
                ("x", Deny),
            ],
        );
        check(&gate, "read_file", Outcome::Allow, "toolGating.rules[1]");
        check(&gate, "read_all", Outcome::Deny, "toolGating.rules[0]");
        check(&gate, "write_file", Outcome::Allow, "toolGating.rules[2]");
        check(&gate, "x", Outcome::Deny, "toolGating.rules[5]");
        check(&gate, "other", Outcome::Ask, "toolGating.defaultAction");
    }

    #[test]
    fn across_policies_and_the_runs_own_the_strictest_holds() {
        use ToolAction::{Allow, Ask};
        let mut both = gate(Allow, &[]);
        both.layers.extend(gate(Allow, &[("write_file", Ask)]).layers);
        check(&both, "write_file", Outcome::Ask, "toolGating.rules[0]");
        both.run.allow = vec![Pattern::new("read_*").unwrap()];
        check(&both, "write_file", Outcome::Deny, "toolPolicy.allow");
        both.run.allow.push(Pattern::new("write_file").unwrap());
        check(&both, "write_file", Outcome::Ask, "toolGating.rules[0]");
        both.run.deny = vec![Pattern::new("write_file").unwrap()];
        check(&both, "write_file", Outcome::Deny, "toolPolicy.deny[0]");
    }

    #[test]
    fn a_switched_off_feature_denies_its_tools_even_when_a_rule_allows_them() {
        let mut gate = gate(ToolAction::Allow, &[("execute_command", ToolAction::Allow)]);
        gate.typed_tools = vec![ToolName::new("kubectl_get").unwrap()];
        gate.layers[0].features.insert(Feature::CodeExecution, false);
        check(
            &gate,
            "execute_command",
            Outcome::Deny,
            "featureGates.code-execution",
        );
        check(&gate, "kubectl_get", Outcome::Deny, "featureGates.code-execution");
        check(&gate, "read_file", Outcome::Allow, "toolGating.defaultAction");
    }

    #[test]
    fn without_a_policy_nothing_is_allowed() {
        let mut gate = ToolGate::default();
        check(&gate, "read_file", Outcome::Deny, "");
        gate.run.allow = vec![Pattern::new("*").unwrap()];
        check(&gate, "read_file", Outcome::Deny, "");
    }
}
