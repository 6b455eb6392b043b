//! The slow, obvious answers.
//!
//! For each policy, everything that speaks for each outcome is written down; the strictest outcome of all policies is the
//! answer. Patterns are matched by trying every split, and sets of hosts are compared name by name.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use sympozium_core::ids::ToolName;
use sympozium_core::policy::{
    Cap, EgressHost, Feature, Outcome, Pattern, Policy, PolicyOrigin, Question, RunRequest, ToolAction,
};
use sympozium_core::skill::HostPort;
use url::Url;

/// What one policy (or the run's own, or its instance) says: the outcome, and every rule that says so by itself.
pub(crate) struct Answer {
    pub(crate) policy: String,
    pub(crate) outcome: Outcome,
    pub(crate) rules: Vec<String>,
}

/// Allows by one of `allows`, unless there is anything in `denials`.
fn answer(policy: &str, denials: Vec<String>, allows: Vec<String>) -> Answer {
    let denied = !denials.is_empty();
    Answer {
        policy: policy.to_owned(),
        outcome: if denied { Outcome::Deny } else { Outcome::Allow },
        rules: if denied { denials } else { allows },
    }
}

fn each(policies: &[Policy], ask: impl Fn(&Policy) -> (Vec<String>, Vec<String>)) -> Vec<Answer> {
    let one = |policy: &Policy| {
        let (denials, allows) = ask(policy);
        answer(&policy.name.0, denials, allows)
    };
    policies.iter().map(one).collect()
}

fn one(rule: &str) -> Vec<String> {
    vec![rule.to_owned()]
}

/// The rules of which the condition holds.
fn holding(rules: &[(bool, &str)]) -> Vec<String> {
    rules
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, rule)| (*rule).to_owned())
        .collect()
}

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

/// All the places in a list of which something holds, as rules.
fn places<T>(path: &str, list: &[T], holds: impl Fn(&T) -> bool) -> Vec<String> {
    let all = list.iter().enumerate();
    all.filter(|(_, item)| holds(item))
        .map(|(i, _)| format!("{path}[{i}]"))
        .collect()
}

/// Every question that `decide` answers, with the field that it has to name, in order.
pub(crate) fn questions(policies: &[Policy], request: &RunRequest) -> Vec<(Question, String, Vec<Answer>)> {
    let mut all = vec![
        (
            Question::Sandbox,
            "spec.sandbox".to_owned(),
            sandbox(policies, request),
        ),
        (
            Question::Subagents,
            "spec.parent.spawnDepth".to_owned(),
            subagents(policies, request),
        ),
        (
            Question::Model(format!("{}/{}", request.provider, request.model)),
            "spec.model.model".to_owned(),
            model(policies, request),
        ),
    ];
    for (field, name) in &request.images {
        all.push((
            Question::Image(name.clone()),
            field.clone(),
            image(policies, name),
        ));
    }
    all.push((
        Question::Network("pod".to_owned()),
        "spec".to_owned(),
        network(policies, request),
    ));
    for (field, target) in &request.egress {
        let shown = format!("{}:{}", target.host, target.port);
        all.push((
            Question::Network(shown),
            field.clone(),
            sidecar_egress(policies, target),
        ));
    }
    all.push((
        Question::Skills,
        "spec.skills".to_owned(),
        skills(policies, request),
    ));
    all.push((Question::Budget, String::new(), budget(policies)));
    for wanted in Feature::ALL {
        let field = request
            .features
            .iter()
            .find(|(f, _)| *f == wanted)
            .map(|(_, field)| field.clone());
        all.push((
            Question::Feature(wanted),
            field.unwrap_or_default(),
            feature(policies, wanted),
        ));
    }
    for (field, name) in &request.needed_tools {
        all.push((
            Question::Tool(name.clone()),
            field.clone(),
            tool(policies, request, name),
        ));
    }
    for name in &request.tools {
        if request.needed_tools.iter().all(|(_, needed)| needed != name) {
            all.push((
                Question::Tool(name.clone()),
                String::new(),
                tool(policies, request, name),
            ));
        }
    }
    all
}

fn sandbox(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let cpu = request
        .sandbox
        .as_ref()
        .and_then(|sandbox| sandbox.cpu_millis)
        .unwrap_or(0);
    let memory = request
        .sandbox
        .as_ref()
        .and_then(|sandbox| sandbox.memory_bytes)
        .unwrap_or(0);
    each(policies, |policy| {
        let rules = &policy.sandbox;
        let denials = holding(&[
            (
                rules.required && request.sandbox.is_none(),
                "sandboxPolicy.required",
            ),
            (
                cpu > rules.max_cpu_millis.unwrap_or(u64::MAX),
                "sandboxPolicy.maxCPU",
            ),
            (
                memory > rules.max_memory_bytes.unwrap_or(u64::MAX),
                "sandboxPolicy.maxMemory",
            ),
        ]);
        (denials, one("sandboxPolicy"))
    })
}

fn subagents(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let ask = |path: &str, depth: Option<u32>, children: Option<u32>| {
        let with_this_one = u64::from(request.siblings.unwrap_or(0)) + 1;
        let is_counted = request.depth >= 1 && request.siblings.is_some();
        holding(&[
            (
                depth.is_some_and(|most| request.depth > most),
                &format!("{path}.maxDepth"),
            ),
            (
                is_counted && children.is_some_and(|most| with_this_one > u64::from(most)),
                &format!("{path}.maxChildrenPerAgent"),
            ),
        ])
    };
    let mut all = each(policies, |policy| {
        let rules = policy.subagents;
        (
            ask("subagentPolicy", rules.max_depth, rules.max_children),
            one("subagentPolicy"),
        )
    });
    if !policies.is_empty() {
        let path = "agents.default.subagents";
        let denials = ask(
            path,
            Some(request.subagents.max_depth),
            Some(request.subagents.max_children),
        );
        all.push(answer("instance", denials, one(path)));
    }
    all
}

fn model(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let full = format!("{}/{}", request.provider, request.model);
    each(policies, |policy| {
        let rules = &policy.models;
        let mut denials = places("models.deny", &rules.deny, |p| {
            fits(p, request.model.as_str()) || fits(p, &full)
        });
        let allows = places("models.allow", &rules.allow, |p| {
            fits(
                p,
                if p.as_str().contains('/') {
                    &full
                } else {
                    request.model.as_str()
                },
            )
        });
        if denials.is_empty() && allows.is_empty() && !rules.allow.is_empty() {
            denials = one("models.allow");
        }
        (denials, if allows.is_empty() { one("models") } else { allows })
    })
}

fn image(policies: &[Policy], image: &str) -> Vec<Answer> {
    each(policies, |policy| match &policy.images {
        None => (vec![], one("images")),
        Some(allow) => {
            let allows = places("images.allow", allow, |p| fits(p, image));
            (
                if allows.is_empty() {
                    one("images.allow")
                } else {
                    vec![]
                },
                allows,
            )
        }
    })
}

fn network(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let unsafe_network = request.network_enforced == Some(false);
    each(policies, |policy| {
        let refused = unsafe_network && policy.network.require_enforced;
        (
            holding(&[(refused, "networkPolicy.requireEnforced")]),
            one("networkPolicy"),
        )
    })
}

fn sidecar_egress(policies: &[Policy], target: &HostPort) -> Vec<Answer> {
    each(policies, |policy| match &policy.network.allowed_egress {
        None => (vec![], one("networkPolicy")),
        Some(limits) => {
            let path = "networkPolicy.allowedEgress";
            let allows = places(path, limits, |limit| {
                limit.port == target.port
                    && all_hosts(&target.host)
                        .iter()
                        .all(|h| all_hosts(&limit.host).contains(h))
            });
            (if allows.is_empty() { one(path) } else { vec![] }, allows)
        }
    })
}

/// All names up to a depth for which a host or `*.` pattern stands.
fn all_hosts(pattern: &str) -> Vec<&'static str> {
    let stands_for = |name: &&str| match pattern.strip_prefix("*.") {
        None => *name == pattern,
        Some(parent) => {
            let labels: Vec<_> = name.split('.').collect();
            (1..labels.len()).any(|i| labels[i..].join(".") == parent)
        }
    };
    all_names()
        .iter()
        .map(String::as_str)
        .filter(stands_for)
        .collect()
}

fn all_names() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names: Vec<String> = ["a.org", "b.org", "xa.org", "*a.org"].map(str::to_owned).to_vec();
        for _ in 0..4 {
            let deeper: Vec<_> = names
                .iter()
                .flat_map(|name| ["x", "y"].map(|label| format!("{label}.{name}")))
                .collect();
            names.extend(deeper);
            names.sort();
            names.dedup();
        }
        names
    })
}

fn skills(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    each(policies, |policy| {
        let refused = request.rbac_packs.len() >= 2 && !policy.skills.shared_identity;
        (holding(&[(refused, "skills.sharedIdentity")]), one("skills"))
    })
}

fn budget(policies: &[Policy]) -> Vec<Answer> {
    let empty = |cap: Cap| [cap.tokens, cap.micro_usd].contains(&Some(0));
    each(policies, |policy| {
        let budget = policy.budget;
        let denials = holding(&[
            (empty(budget.per_run), "budget.perRun"),
            (empty(budget.per_day), "budget.perDay"),
            (empty(budget.per_month), "budget.perMonth"),
        ]);
        (denials, one("budget"))
    })
}

fn feature(policies: &[Policy], feature: Feature) -> Vec<Answer> {
    each(policies, |policy| {
        let gate = format!("featureGates.{}", feature.as_str());
        match policy.features.get(&feature) {
            None => (vec![], one("featureGates")),
            Some(true) => (vec![], one(&gate)),
            Some(false) => (one(&gate), vec![]),
        }
    })
}

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

pub(crate) fn egress(policies: &[Policy], url: &Url, method: &str) -> Vec<Answer> {
    each(policies, |policy| match &policy.egress {
        None => (vec![], one("egress")),
        Some(egress) => {
            let allows = places("egress.hosts", &egress.hosts, |host| may_fetch(host, url, method));
            (
                if allows.is_empty() {
                    one("egress.hosts")
                } else {
                    vec![]
                },
                allows,
            )
        }
    })
}

pub(crate) fn is_private(policies: &[Policy], url: &Url, method: &str) -> bool {
    policies
        .iter()
        .filter(|policy| policy.origin == PolicyOrigin::InstallWide)
        .any(|policy| {
            let hosts = policy.egress.iter().flat_map(|egress| &egress.hosts);
            hosts
                .filter(|host| host.private)
                .any(|host| may_fetch(host, url, method))
        })
}

fn may_fetch(rule: &EgressHost, url: &Url, method: &str) -> bool {
    let methods = if rule.methods.is_empty() {
        vec!["GET".to_owned()]
    } else {
        rule.methods.clone()
    };
    let below = |pattern: &Pattern| {
        let path = pattern.as_str();
        // A path stands for itself with everything below, however it ends.
        let own: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let asked: Vec<_> = url.path().split('/').filter(|part| !part.is_empty()).collect();
        if path.contains('*') {
            fits(pattern, url.path())
        } else {
            asked.starts_with(&own)
        }
    };
    fits(&rule.host, url.host_str().unwrap())
        && methods.iter().any(|allowed| allowed == method)
        && (rule.paths.is_empty() || rule.paths.iter().any(below))
}

/// The limits of every account by its name, and which rules made them.
pub(crate) type Accounts = BTreeMap<String, (Option<u64>, Option<u64>, Vec<String>)>;

/// The accounts that a model call on 1970-01-01 is charged to.
pub(crate) fn accounts(policies: &[Policy], run: &str) -> Accounts {
    let run = format!("run/{run} total");
    let mut all = Accounts::from([(run.clone(), (None, None, vec![]))]);
    for policy in policies {
        let over = match policy.origin {
            PolicyOrigin::InstallWide => "installation",
            PolicyOrigin::Namespace => "namespace/n",
            PolicyOrigin::Instance => "instance/n/i",
        };
        for (cap, account, rule) in [
            (policy.budget.per_run, run.clone(), "budget.perRun"),
            (
                policy.budget.per_day,
                format!("{over} day/1970-01-01"),
                "budget.perDay",
            ),
            (
                policy.budget.per_month,
                format!("{over} month/1970-01"),
                "budget.perMonth",
            ),
        ] {
            if cap != Cap::default() {
                let (tokens, usd, rules) = all.entry(account).or_default();
                *tokens = [*tokens, cap.tokens].into_iter().flatten().min();
                *usd = [*usd, cap.micro_usd].into_iter().flatten().min();
                rules.push(format!("{}: {rule}", policy.name));
            }
        }
    }
    all
}
