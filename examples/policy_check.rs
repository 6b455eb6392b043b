//! What two policies together say about a run, before anything runs: every question, with policy, rule and field.
//!
//! Reads the same YAML as `kubectl apply`, makes policies and the plan of the run of it, and asks. All of it is pure: no
//! cluster, no clock, no network.
//!
//! Run it: `cargo run -p sympozium-examples --example policy_check`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use anyhow::Context;
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{Policy, PolicyName, PolicyOrigin, decide};
use sympozium_k8s::convert::{self, PlanInputs};
use sympozium_k8s::crd::v1alpha1::{AgentRun, SympoziumInstance};
use sympozium_k8s::documents::{Document, parse};

/// Reads the one policy of a file, and says what of it changes nothing.
fn policy(file: &str, text: &str, origin: PolicyOrigin) -> anyhow::Result<Policy> {
    let documents = parse(file, text)?;
    let Some(Document::Policy(policy)) = documents.into_iter().next() else {
        anyhow::bail!("{file} holds no policy")
    };
    let name = policy.metadata.name.context("a policy has a name")?;
    let reading = convert::policy(&policy.spec, PolicyName(format!("{name} ({file})")), origin)?;
    for note in &reading.notes {
        println!("note  {file}: {} {}", note.path, note.reason.explanation());
    }
    Ok(reading.policy)
}

/// Reads the run of a file and its instance.
fn run(file: &str, text: &str) -> anyhow::Result<(AgentRun, SympoziumInstance)> {
    let (mut run, mut instance) = (None, None);
    for document in parse(file, text)? {
        match document {
            Document::AgentRun(found) => run = Some(*found),
            Document::Instance(found) => instance = Some(*found),
            other => anyhow::bail!("{file} holds more than was expected: {other:?}"),
        }
    }
    Ok((
        run.context("there is no run")?,
        instance.context("there is no instance")?,
    ))
}

fn main() -> anyhow::Result<()> {
    // Install-wide first; the answer is the strictest of all.
    let house = policy(
        "house.yaml",
        include_str!("policies/house.yaml"),
        PolicyOrigin::InstallWide,
    )?;
    let team = policy(
        "team.yaml",
        include_str!("policies/team.yaml"),
        PolicyOrigin::Instance,
    )?;
    let policies = [house, team];

    let (run, instance) = run("run.yaml", include_str!("policies/run.yaml"))?;
    let plan = convert::plan(&PlanInputs {
        run: &run,
        uid: RunUid::random(),
        namespace: &Namespace::new("garden")?,
        instance: &instance,
        policies: &policies,
        packs: &[],
        config_maps: &[],
        secrets: None,
    })?;
    let decision = decide(&policies, &convert::run_request(&plan));
    for verdict in &decision.verdicts {
        println!(
            "{:<5} {:<27} {:<18} {:<31} {:<23} {}",
            verdict.outcome.as_str(),
            verdict.question.to_string(),
            verdict.policy.0,
            verdict.rule,
            verdict.field,
            verdict.reason
        );
    }
    println!(
        "The run is {}.",
        if decision.admits() { "admitted" } else { "refused" }
    );
    Ok(())
}
