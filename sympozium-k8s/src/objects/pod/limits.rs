//! Sizes of a pod's volumes and containers.

use super::shape::{Executor, Kind};
use crate::crd::v1alpha1::ResourceAmounts;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most bytes of a Job as JSON. The API server takes requests of 3 MiB, but etcd no more than 1.5 MiB of an object,
/// and the pod is stored once more with its status.
pub(in crate::objects) const MAX_JOB: usize = 1 << 20;

/// How much longer than its pod a Job may take, besides the pod's time to end: only a pod that can't be scheduled at all
/// gets there.
pub(in crate::objects) const JOB_NET: Duration = Duration::from_mins(10);

/// The mailbox, in memory: files of it live for milliseconds. It counts for the containers that write to it.
pub(super) const IPC: &str = "64Mi";
/// The workspace.
pub(super) const WORKSPACE: &str = "1Gi";
/// `/tmp`, `/state` and `/work` of all containers together.
pub(super) const SCRATCH: &str = "1Gi";
/// The toolbox.
pub(super) const PROGRAMS: &str = "64Mi";

type Amounts = BTreeMap<String, Quantity>;

fn amounts<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Amounts {
    given
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
        .collect()
}

fn requirements(requests: Amounts, limits: Amounts) -> ResourceRequirements {
    let given = |amounts: Amounts| (!amounts.is_empty()).then_some(amounts);
    ResourceRequirements {
        requests: given(requests),
        limits: given(limits),
        claims: None,
    }
}

/// The agent: no limit on CPU, which would only make answers slower.
pub(super) fn agent() -> ResourceRequirements {
    requirements(
        amounts([("cpu", "50m"), ("memory", "64Mi")]),
        amounts([("memory", "512Mi")]),
    )
}

/// What an instance says for its agents stands for all of the above.
pub(super) fn agent_of_instance(given: &ResourceAmounts) -> ResourceRequirements {
    let read = |of: &BTreeMap<String, crate::crd::v1alpha1::Quantity>| {
        amounts(of.iter().map(|(name, amount)| (name.as_str(), amount.as_str())))
    };
    requirements(read(&given.requests), read(&given.limits))
}

pub(super) fn bridge() -> ResourceRequirements {
    requirements(
        amounts([("cpu", "10m"), ("memory", "16Mi")]),
        amounts([("memory", "128Mi")]),
    )
}

/// What a pack says is both request and limit; for the rest, and for a sandbox of which nobody says anything, there is a
/// small request and a limit on memory.
pub(super) fn executor(executor: &Executor<'_>) -> ResourceRequirements {
    match executor.kind {
        Kind::Skill(sidecar) => {
            let given = text(&sidecar.resources);
            let mut requests = amounts([("cpu", "50m"), ("memory", "64Mi")]);
            let mut limits = amounts([("memory", "256Mi")]);
            requests.extend(given.clone());
            limits.extend(given);
            requirements(requests, limits)
        }
        Kind::Sandbox(sandbox) if sandbox.requests.is_empty() && sandbox.limits.is_empty() => requirements(
            amounts([("cpu", "50m"), ("memory", "64Mi")]),
            amounts([("memory", "512Mi")]),
        ),
        Kind::Sandbox(sandbox) => requirements(text(&sandbox.requests), text(&sandbox.limits)),
    }
}

fn text(given: &BTreeMap<String, String>) -> Amounts {
    amounts(
        given
            .iter()
            .map(|(name, amount)| (name.as_str(), amount.as_str())),
    )
}
