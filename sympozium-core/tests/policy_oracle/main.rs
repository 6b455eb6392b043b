//! Policy evaluation against a slow, obvious oracle: 100,000 generated cases, every question in each.
//!
//! The oracle shares no code with the evaluation. Compared are not only outcomes: each verdict must name the first policy
//! that gives the strictest answer, a rule of it that gives it by itself, and the field.
//!
//! To look at one case alone, put its number where the range begins.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
mod oracle;

use cases::{Case, case};
use jiff::Timestamp;
use oracle::{Accounts, Answer};
use std::collections::BTreeMap;
use sympozium_core::ids::RunUid;
use sympozium_core::policy::{
    Outcome, Question, Verdict, charges, decide, decide_egress, max_concurrent, sandbox_ceiling,
};

const CASES: u64 = 100_000;

/// How often each rule decided, by outcome and its path without indices.
type Seen = BTreeMap<(Outcome, String), u64>;

#[test]
fn evaluation_agrees_with_the_oracle_and_every_rule_decides_some_case() {
    let parts = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    let seen = std::thread::scope(|scope| {
        let share = |part| move || check_all((0..CASES).filter(move |number| number % parts == part));
        let threads: Vec<_> = (0..parts).map(|part| scope.spawn(share(part))).collect();
        let mut sum = Seen::new();
        for thread in threads {
            for (rule, times) in thread.join().unwrap() {
                *sum.entry(rule).or_default() += times;
            }
        }
        sum
    });
    let missing: Vec<_> = expected_rules()
        .into_iter()
        .filter(|rule| seen.get(rule).is_none_or(|n| *n < 20))
        .collect();
    assert!(
        missing.is_empty(),
        "the cases hardly try {missing:?}; they try {seen:#?}"
    );
}

/// Every rule that can decide, with each outcome that it can give.
fn expected_rules() -> Vec<(Outcome, String)> {
    let both = [
        "images.allow",
        "models.allow",
        "networkPolicy.allowedEgress",
        "egress.hosts",
        "featureGates.code-execution",
        "featureGates.file-access",
        "featureGates.browser-automation",
        "featureGates.sub-agents",
        "featureGates.memory",
        "featureGates.schedules",
        "featureGates.channels",
        "toolGating.rules",
        "toolGating.defaultAction",
        "toolPolicy.allow",
    ];
    let denials = [
        "sandboxPolicy.required",
        "sandboxPolicy.maxCPU",
        "sandboxPolicy.maxMemory",
        "subagentPolicy.maxDepth",
        "subagentPolicy.maxChildrenPerAgent",
        "agents.default.subagents.maxDepth",
        "agents.default.subagents.maxChildrenPerAgent",
        "models.deny",
        "networkPolicy.requireEnforced",
        "skills.sharedIdentity",
        "budget.perRun",
        "budget.perDay",
        "budget.perMonth",
        "toolPolicy.deny",
        "",
    ];
    let allows = [
        "sandboxPolicy",
        "subagentPolicy",
        "models",
        "images",
        "networkPolicy",
        "skills",
        "budget",
        "featureGates",
        "egress",
    ];
    let asks = ["toolGating.rules", "toolGating.defaultAction"];
    let rows = [
        (Outcome::Deny, &both[..]),
        (Outcome::Allow, &both[..]),
        (Outcome::Deny, &denials[..]),
        (Outcome::Allow, &allows[..]),
        (Outcome::Ask, &asks[..]),
    ];
    // The run's own policy only narrows, so its allowing never decides.
    let decides =
        |(outcome, rule): &(Outcome, String)| *outcome == Outcome::Deny || rule != "toolPolicy.allow";
    rows.into_iter()
        .flat_map(|(outcome, rules)| rules.iter().map(move |rule| (outcome, (*rule).to_owned())))
        .filter(decides)
        .collect()
}

fn check_all(numbers: impl Iterator<Item = u64>) -> Seen {
    let mut seen = Seen::new();
    for number in numbers {
        check(number, &case(number), &mut seen);
    }
    seen
}

fn check(number: u64, case: &Case, seen: &mut Seen) {
    let Case {
        policies, request, ..
    } = case;
    let decision = decide(policies, request);
    let wanted = oracle::questions(policies, request);
    let asked: Vec<_> = decision
        .verdicts
        .iter()
        .map(|v| (v.question.clone(), v.field.clone()))
        .collect();
    let to_ask: Vec<_> = wanted
        .iter()
        .map(|(question, field, _)| (question.clone(), field.clone()))
        .collect();
    assert_eq!(asked, to_ask, "case {number}");
    let mut refused = false;
    for (verdict, (question, field, answers)) in decision.verdicts.iter().zip(&wanted) {
        let outcome = agree(number, case, verdict, answers, seen);
        let optional = matches!(question, Question::Tool(_) | Question::Feature(_)) && field.is_empty();
        refused |= outcome == Outcome::Deny && !optional;
    }
    assert_eq!(decision.admits(), !refused, "case {number}: {case:#?}");
    let egress = decide_egress(policies, &case.url, case.method);
    agree(
        number,
        case,
        &egress.verdict,
        &oracle::egress(policies, &case.url, case.method),
        seen,
    );
    let private = oracle::is_private(policies, &case.url, case.method);
    assert_eq!(egress.private, private, "case {number}: {case:#?}");
    check_sums(number, case);
}

/// Compares one verdict with what the policies say, and gives the outcome that it should have.
fn agree(number: u64, case: &Case, verdict: &Verdict, answers: &[Answer], seen: &mut Seen) -> Outcome {
    let outcome = answers
        .iter()
        .map(|answer| answer.outcome)
        .max()
        .unwrap_or(Outcome::Deny);
    let (policy, rules) = answers
        .iter()
        .find(|answer| answer.outcome == outcome)
        .map_or(("none", vec![String::new()]), |answer| {
            (&answer.policy, answer.rules.clone())
        });
    assert!(
        verdict.outcome == outcome && verdict.policy.0 == policy && rules.contains(&verdict.rule),
        "case {number}: expected {outcome:?} by {policy} {rules:?}, but got {verdict:?} for {case:#?}"
    );
    assert!(
        verdict.reason.len() > 10,
        "case {number}: {verdict:?} has no reason"
    );
    let rule = verdict.rule.split('[').next().unwrap().to_owned();
    *seen.entry((outcome, rule)).or_default() += 1;
    outcome
}

/// What is summed over policies rather than decided: budgets, slots and sizes.
fn check_sums(number: u64, case: &Case) {
    let policies = &case.policies;
    let run = RunUid::random();
    let charged = charges(policies, run, &case.instance, Timestamp::UNIX_EPOCH);
    let found: Accounts = charged
        .iter()
        .map(|charge| {
            let rules = charge
                .rule
                .split(", ")
                .filter(|rule| !rule.is_empty())
                .map(str::to_owned)
                .collect();
            (
                charge.account.to_string(),
                (charge.max_tokens, charge.max_micro_usd, rules),
            )
        })
        .collect();
    assert_eq!(
        found.len(),
        charged.len(),
        "case {number}: an account is charged twice"
    );
    assert_eq!(
        found,
        oracle::accounts(policies, &run.to_string()),
        "case {number}"
    );

    let mut slots: Vec<_> = policies
        .iter()
        .filter_map(|policy| policy.subagents.max_concurrent)
        .collect();
    slots.push(case.request.subagents.max_concurrent);
    slots.sort_unstable();
    assert_eq!(
        max_concurrent(policies, case.request.subagents),
        slots[0],
        "case {number}"
    );

    let ceiling = sandbox_ceiling(policies);
    for policy in policies {
        let rules = &policy.sandbox;
        assert!(
            rules
                .max_cpu_millis
                .is_none_or(|most| ceiling.cpu_millis.is_some_and(|ours| ours <= most))
        );
        assert!(
            rules
                .max_memory_bytes
                .is_none_or(|most| ceiling.memory_bytes.is_some_and(|ours| ours <= most))
        );
    }
    let given = |of: fn(&sympozium_core::policy::Policy) -> Option<u64>, ours: Option<u64>| {
        ours.is_none() || policies.iter().any(|policy| of(policy) == ours)
    };
    assert!(
        given(|policy| policy.sandbox.max_cpu_millis, ceiling.cpu_millis),
        "case {number}"
    );
    assert!(
        given(|policy| policy.sandbox.max_memory_bytes, ceiling.memory_bytes),
        "case {number}"
    );
}
