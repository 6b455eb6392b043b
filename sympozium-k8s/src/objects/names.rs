//! What the objects of runs and instances are called, and the labels by which they are found.
//!
//! Names are those of the user's other tools where there are any (`docs/differences.md`). No name can be that of another
//! namespace's object: what is not in the run's own namespace carries the run's UID.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use std::collections::BTreeMap;
use sympozium_core::ids::{InstanceName, PackName, RunUid};
use sympozium_core::run::{RunPlan, RunRef};

/// Label: the run's name.
pub const RUN: &str = "sympozium.ai/agent-run";
/// Label: the run's UID. Names are used again, UIDs are not.
pub const RUN_UID: &str = "sympozium.ai/run-uid";
/// Label: the run's namespace, on objects outside it.
pub const RUN_NAMESPACE: &str = "sympozium.ai/run-namespace";
/// Label: the instance.
pub const INSTANCE: &str = "sympozium.ai/instance";
/// Label: what the object is for. NetworkPolicies select run pods by it.
pub const COMPONENT: &str = "sympozium.ai/component";
/// Label: the pack.
pub const SKILL: &str = "sympozium.ai/skill";
/// Label: the author's name for the agent; an annotation where it is no label value.
pub const AGENT_ID: &str = "sympozium.ai/agent-id";
/// Label: the run that spawned this one.
pub const PARENT_RUN: &str = "sympozium.ai/parent-run";
/// Label: who keeps the object.
pub const MANAGED_BY: &str = "sympozium.ai/managed-by";
/// The value of [`MANAGED_BY`].
pub const SYMPOZIUM: &str = "sympozium";

/// Key of the CA ConfigMap: our own certificate authority.
pub const CA_KEY: &str = "ca.crt";
/// Key of the CA ConfigMap: the cluster's certificate authority and ours, for clients of the API server.
pub const CA_BUNDLE_KEY: &str = "bundle.crt";
/// Key of the memory ConfigMap.
pub const MEMORY_KEY: &str = "MEMORY.md";

/// What an object is for: the values of [`COMPONENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// A run: its Job, pod, identity and rights.
    AgentRun,
    /// The memory of an instance.
    Memory,
    /// The documents of a skill, where its runs are.
    SkillMirror,
    /// What all runs of an instance have in common.
    Instance,
}

impl Component {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentRun => "agent-run",
            Self::Memory => "memory",
            Self::SkillMirror => "skillpack-mirror",
            Self::Instance => "instance",
        }
    }
}

/// The ServiceAccount of a run with skills that have rights: `sympozium-run-<UID>`.
pub fn run_service_account(run: RunUid) -> String {
    format!("sympozium-run-{run}")
}

/// The ServiceAccount of all other runs of an instance: `sympozium-run-instance-<instance>`.
pub fn instance_service_account(instance: &InstanceName) -> String {
    format!("sympozium-run-instance-{instance}")
}

/// A pack's role in a run, and its binding: `sympozium-skill-<pack>-<UID>`.
pub fn skill_role(pack: &PackName, run: RunUid) -> String {
    format!("sympozium-skill-{pack}-{run}")
}

/// The memory of an instance: `<instance>-memory`.
pub fn memory_config_map(instance: &str) -> String {
    format!("{instance}-memory")
}

/// The certificates that an instance's runs trust: `sympozium-ca-<instance>`.
pub fn ca_config_map(instance: &str) -> String {
    format!("sympozium-ca-{instance}")
}

/// The NetworkPolicy that an instance keeps for run pods: `sympozium-run-pods-<instance>`.
pub fn network_policy(instance: &str) -> String {
    format!("sympozium-run-pods-{instance}")
}

/// The Role by which the gateway reads an instance's Secrets, and its binding: `sympozium-gateway-<instance>`.
pub fn gateway_role(instance: &str) -> String {
    format!("sympozium-gateway-{instance}")
}

/// The `number`-th ConfigMap with a skill's documents. A dot can't be in a pack's name, so that no two skills share one:
/// `sympozium-skills.<pack>.<number>`, for built-in packs `sympozium-skills.system.<pack>.<number>`.
pub fn skill_config_map(pack: &PackName, builtin: bool, number: usize) -> String {
    let system = if builtin { "system." } else { "" };
    format!("sympozium-skills.{system}{pack}.{number}")
}

/// Whether a text can be the value of a label: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at
/// both ends. From the Kubernetes documentation, "Labels and Selectors".
pub fn is_label_value(text: &str) -> bool {
    let alphanumeric = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && alphanumeric(text.bytes().next())
        && alphanumeric(text.bytes().last())
}

/// The labels of everything that belongs to a run.
pub fn run_labels(plan: &RunPlan) -> BTreeMap<String, String> {
    labels([
        (RUN, plan.run.name.as_str()),
        (RUN_UID, &plan.run.uid.to_string()),
        (INSTANCE, plan.instance.name.as_str()),
        (COMPONENT, Component::AgentRun.as_str()),
        (MANAGED_BY, SYMPOZIUM),
    ])
}

/// The labels of everything that an instance keeps.
pub fn instance_labels(instance: &str, component: Component) -> BTreeMap<String, String> {
    labels([
        (INSTANCE, instance),
        (COMPONENT, component.as_str()),
        (MANAGED_BY, SYMPOZIUM),
    ])
}

pub(super) fn labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    labels
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// That a run owns an object in its namespace.
pub fn owned_by_run(run: &RunRef) -> OwnerReference {
    owned_by::<crate::crd::v1alpha1::AgentRun>(run.name.as_str(), &run.uid.to_string())
}

/// That an object of that kind, name and UID owns another of its namespace, and keeps it.
pub fn owned_by<K: Resource<DynamicType = ()>>(name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Metadata of an object.
pub(super) fn metadata(
    name: String,
    namespace: Option<&str>,
    labels: BTreeMap<String, String>,
    owners: Vec<OwnerReference>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: namespace.map(str::to_owned),
        labels: Some(labels),
        owner_references: (!owners.is_empty()).then_some(owners),
        ..ObjectMeta::default()
    }
}
