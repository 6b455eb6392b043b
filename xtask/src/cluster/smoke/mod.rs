//! `cluster smoke`: whether a cluster does what tests will take for granted.
//!
//! Each check is a line. All objects are made at the start, so that their waits overlap, and removed at the end. Entry:
//! [`smoke`].

mod api;
mod images;
mod kubectl;
mod network;
mod policy;
mod policy_rows;
mod workload;

use std::time::Instant;

use anyhow::{Context, bail};

use super::place::Place;
use super::request::Order;
use super::{binary, files};
use crate::counts::Counts;
use crate::stage;
pub(crate) use images::images;
use kubectl::Kubectl;

/// What the checks share.
pub(super) struct Smoke {
    kubectl: Kubectl,
    place: Place,
}

impl Smoke {
    /// For a cluster that runs.
    fn of(place: &Place) -> anyhow::Result<Self> {
        let order: Order = files::read_json(&place.request())?.with_context(|| {
            format!(
                "there is no cluster {}: cargo xtask cluster up --name {0}",
                place.name()
            )
        })?;
        let program = binary::assets(&order.programs).join("kubectl");
        Ok(Self {
            kubectl: Kubectl::new(program, place.kubeconfig()),
            place: place.clone(),
        })
    }
}

/// One check: what holds, in words, and how to see it.
type Check = (&'static str, fn(&Smoke) -> anyhow::Result<()>);

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: u64,
    failed: Vec<String>,
}

impl Report {
    fn add(&mut self, name: &str, start: Instant, result: anyhow::Result<()>) {
        stage::line(
            name,
            start.elapsed(),
            if result.is_ok() { "ok" } else { "FAILED" },
        );
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                println!("    {error:#}");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// For the sum of all tests.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            passed: self.passed,
            failed: u64::try_from(self.failed.len()).unwrap_or(u64::MAX),
            skipped: 0,
        }
    }

    /// An error that names the failed checks, if there are any.
    pub(crate) fn verdict(self) -> anyhow::Result<()> {
        println!("{} checks passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", self.failed.join(", "))
    }
}

/// Checks a running cluster with a node. An error means that it could not be checked at all.
pub(crate) fn smoke(place: &Place) -> anyhow::Result<Report> {
    let smoke = Smoke::of(place)?;
    clean(&smoke)?;
    prepare(&smoke)?;
    let mut report = Report::default();
    for (name, check) in [api::CHECKS, workload::CHECKS, network::CHECKS].concat() {
        let start = Instant::now();
        let result = check(&smoke);
        report.add(name, start, result);
    }
    policy::check(&smoke, &mut report);
    clean(&smoke)?;
    Ok(report)
}

/// Makes everything that takes its time.
fn prepare(smoke: &Smoke) -> anyhow::Result<()> {
    smoke
        .kubectl
        .apply(include_str!("../../../../test/cluster/smoke/namespaces.yaml"))?;
    let objects = [
        include_str!("../../../../test/cluster/smoke/definition.yaml"),
        include_str!("../../../../test/cluster/smoke/restricted.yaml"),
        include_str!("../../../../test/cluster/smoke/workloads.yaml"),
        include_str!("../../../../test/cluster/smoke/fake-node.yaml"),
        include_str!("../../../../test/cluster/smoke/network.yaml"),
    ];
    smoke.kubectl.apply(&objects.join("\n---\n"))
}

/// Removes what an earlier call may have left, and what this one made.
fn clean(smoke: &Smoke) -> anyhow::Result<()> {
    let kinds = "customresourcedefinitions,validatingadmissionpolicybindings,validatingadmissionpolicies,nodes,namespaces";
    smoke
        .kubectl
        .run(&["delete", kinds, "--selector=sympozium.ai/smoke", "--timeout=90s"])
        .map(drop)
}
