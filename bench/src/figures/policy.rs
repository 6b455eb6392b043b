//! One decision about a tool, by a policy of a thousand rules.

use super::Bench;
use crate::report::{Line, Row, Unit};
use anyhow::{Context, ensure};
use std::hint::black_box;
use std::time::Instant;
use sympozium_core::ids::ToolName;
use sympozium_core::policy::{
    Outcome, Pattern, Policy, PolicyName, PolicyOrigin, ToolAction, ToolGate, ToolRule, decide_tool,
};

const RULES: usize = 1_000;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    Ok(vec![
        of(bench, "exact names", |i| format!("tool_{i:04}"), "tool_0999")?,
        of(
            bench,
            "names with one star",
            |i| format!("tool_{i:04}_*"),
            "tool_0999_read",
        )?,
        of(
            bench,
            "names with three stars",
            |i| format!("t*ol_*{i:04}*"),
            "tool_of_0999_read",
        )?,
    ])
}

/// The rule that fits is the last one, so that all are looked at.
fn of(bench: &Bench, kind: &str, rule: fn(usize) -> String, tool: &str) -> anyhow::Result<Line> {
    let names: Vec<String> = (0..RULES).map(rule).collect();
    let gate = gate(&names)?;
    let tool = ToolName::new(tool).context("the name of a tool")?;
    ensure!(
        decide_tool(&gate, &tool).outcome == Outcome::Deny,
        "no rule fits {tool}"
    );
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let times = bench.effort.size(500, 5);
    for round in 0..=bench.effort.rounds(100) {
        let decision = per_call(times, || {
            drop(black_box(decide_tool(black_box(&gate), black_box(&tool))));
        });
        let compared = per_call(times, || {
            let fits = |name: &&String| name.as_str() == black_box(tool.as_str());
            black_box(black_box(&names).iter().filter(fits).count());
        });
        if round > 0 {
            ours.push(decision);
            bare.push(compared);
        }
    }
    let row = Row::new(
        format!("one decision, 1,000 rules, {kind}"),
        Unit::Microseconds,
        ours,
    )?;
    Ok(row.beside("comparing 1,000 names", bare)?.goal(5.0).into())
}

fn gate(names: &[String]) -> anyhow::Result<ToolGate> {
    let mut policy = Policy::open(PolicyName("bench".to_owned()), PolicyOrigin::Instance);
    for name in names {
        policy.tools.rules.push(ToolRule {
            tool: Pattern::new(name.as_str())?,
            action: ToolAction::Deny,
        });
    }
    Ok(ToolGate {
        layers: vec![policy.gate_layer()],
        ..ToolGate::default()
    })
}

/// How many microseconds a call takes, as the mean of many: one alone is too short for the clock.
#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn per_call(times: usize, mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..times {
        call();
    }
    begun.elapsed().as_secs_f64() * 1e6 / times as f64
}
