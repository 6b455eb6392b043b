//! May this tool be called?

use super::words::{Answer, fits, one};
use sympozium_core::ids::ToolName;
use sympozium_core::policy::{Feature, Outcome, Pattern, Policy, RunRequest, ToolAction};

pub(crate) fn tool(policies: &[Policy], request: &RunRequest, tool: &ToolName) -> Vec<Answer> {
    let tool = tool.as_str();
    let feature = match tool {
        "execute_command" | "kubectl_get" => Some(Feature::CodeExecution),
        "read_file" | "write_file" => Some(Feature::FileAccess),
        "fetch_url" => Some(Feature::BrowserAutomation),
        "spawn_agent" => Some(Feature::SubAgents),
        _ => None,
    };
    let mut answers = Vec::new();
    for policy in policies {
        let switched_off = feature.filter(|f| policy.features.get(f) == Some(&false));
        let rules = policy.tools.rules.iter().enumerate();
        let rules: Vec<_> = rules
            .map(|(i, r)| (&r.tool, r.action, format!("toolGating.rules[{i}]")))
            .collect();
        let (outcome, rules) = match switched_off {
            Some(feature) => (Outcome::Deny, one(&format!("featureGates.{}", feature.as_str()))),
            None => gating(
                policy.tools.default_action,
                "toolGating.defaultAction",
                &rules,
                tool,
            ),
        };
        answers.push(Answer {
            policy: policy.name.0.clone(),
            outcome,
            rules,
        });
    }
    let own = &request.tool_policy;
    let says_something = !(own.allow.is_empty() && own.deny.is_empty());
    if says_something && !policies.is_empty() {
        let allow = own.allow.iter().enumerate();
        let mut rules: Vec<_> = allow
            .map(|(i, p)| (p, ToolAction::Allow, format!("toolPolicy.allow[{i}]")))
            .collect();
        let deny = own.deny.iter().enumerate();
        rules.extend(deny.map(|(i, p)| (p, ToolAction::Deny, format!("toolPolicy.deny[{i}]"))));
        let default = if own.allow.is_empty() {
            ToolAction::Allow
        } else {
            ToolAction::Deny
        };
        let (outcome, rules) = gating(default, "toolPolicy.allow", &rules, tool);
        answers.push(Answer {
            policy: "run".to_owned(),
            outcome,
            rules,
        });
    }
    answers
}

/// Exact names if there are any, else stars, else the default; and of those the strictest.
fn gating(
    default: ToolAction,
    default_rule: &str,
    rules: &[(&Pattern, ToolAction, String)],
    tool: &str,
) -> (Outcome, Vec<String>) {
    let fitting: Vec<_> = rules.iter().filter(|(pattern, ..)| fits(pattern, tool)).collect();
    let exact: Vec<_> = fitting
        .iter()
        .copied()
        .filter(|(pattern, ..)| pattern.as_str() == tool)
        .collect();
    let chosen = if exact.is_empty() { fitting } else { exact };
    for action in [ToolAction::Deny, ToolAction::Ask, ToolAction::Allow] {
        let says: Vec<_> = chosen
            .iter()
            .filter(|(_, a, _)| *a == action)
            .map(|(_, _, rule)| rule.clone())
            .collect();
        if !says.is_empty() {
            return (action.into(), says);
        }
    }
    (default.into(), one(default_rule))
}
