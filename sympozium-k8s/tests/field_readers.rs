//! Who reads each field of a spec. A field without a reader would be a promise that nobody keeps.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, in its helpers too"
)]

use Reader::{Channels, Conversion, Display, Gate, Operator, Webhook};
use serde_json::Value;
use std::collections::BTreeSet;
use sympozium_k8s::crd;

/// The part that reads a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// `sympozium_k8s::convert` makes it part of the run plan or policy.
    Conversion,
    /// The operator, when it makes pods, Roles, schedules and status.
    Operator,
    /// The channel pods and the routers between them and runs.
    Channels,
    /// The admission webhook.
    Webhook,
    /// The rule in the schema: it accepts only what holds anyway.
    Gate,
    /// Lists and print columns, for people.
    Display,
}

/// Paths of fields, and who reads them. A path that ends in `.**` stands for all that is below it.
const READERS: &[(&str, Reader)] = &[
    ("AgentRun.instanceRef", Conversion),
    ("AgentRun.agentId", Conversion),
    ("AgentRun.sessionKey", Conversion),
    ("AgentRun.task", Conversion),
    ("AgentRun.parent.**", Conversion),
    ("AgentRun.systemPrompt", Conversion),
    ("AgentRun.model.**", Conversion),
    ("AgentRun.sandbox.enabled", Conversion),
    ("AgentRun.sandbox.image", Conversion),
    ("AgentRun.sandbox.resources.**", Conversion),
    (
        "AgentRun.sandbox.securityContext.readOnlyRootFilesystem",
        Conversion,
    ),
    ("AgentRun.sandbox.securityContext.runAsNonRoot", Conversion),
    ("AgentRun.sandbox.securityContext.capabilities.drop", Gate),
    ("AgentRun.sandbox.securityContext.seccompProfile.type", Gate),
    ("AgentRun.skills.**", Conversion),
    ("AgentRun.toolPolicy.**", Conversion),
    ("AgentRun.timeout", Conversion),
    ("AgentRun.cleanup", Conversion),
    ("AgentRun.agent.**", Conversion),
    ("AgentRun.env.**", Conversion),
    ("AgentRun.cancel", Operator),
    ("SympoziumInstance.channels.**", Channels),
    ("SympoziumInstance.agents.**", Conversion),
    ("SympoziumInstance.skills.**", Conversion),
    ("SympoziumInstance.policyRef", Operator),
    ("SympoziumInstance.authRefs.**", Conversion),
    ("SympoziumInstance.memory.**", Conversion),
    ("SympoziumInstance.targetNamespaces", Operator),
    ("SympoziumInstance.podTemplate.**", Operator),
    ("SympoziumPolicy.sandboxPolicy.**", Conversion),
    ("SympoziumPolicy.subagentPolicy.**", Conversion),
    ("SympoziumPolicy.toolGating.**", Conversion),
    ("SympoziumPolicy.featureGates", Conversion),
    ("SympoziumPolicy.networkPolicy.**", Conversion),
    ("SympoziumPolicy.models.**", Conversion),
    ("SympoziumPolicy.images.**", Conversion),
    ("SympoziumPolicy.egress.**", Conversion),
    ("SympoziumPolicy.budget.**", Conversion),
    ("SympoziumPolicy.skills.ceilingRef", Webhook),
    ("SympoziumPolicy.skills.sharedIdentity", Conversion),
    ("SkillPack.skills.**", Conversion),
    ("SkillPack.category", Conversion),
    ("SkillPack.source", Display),
    ("SkillPack.version", Display),
    ("SkillPack.runtimeRequirements.**", Conversion),
    ("SkillPack.sidecar.**", Conversion),
    ("SympoziumSchedule.instanceRef", Operator),
    ("SympoziumSchedule.schedule", Operator),
    ("SympoziumSchedule.task", Operator),
    ("SympoziumSchedule.type", Operator),
    ("SympoziumSchedule.suspend", Operator),
    ("SympoziumSchedule.concurrencyPolicy", Operator),
    ("SympoziumSchedule.includeMemory", Operator),
    ("SympoziumSchedule.timeZone", Operator),
    ("SympoziumSchedule.startingDeadlineSeconds", Operator),
    ("SympoziumSchedule.historyLimit", Operator),
    ("SympoziumSchedule.deliverTo.**", Channels),
];

/// The paths of all fields that hold a value.
fn fields() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for crd in crd::all() {
        let kind = crd.spec.names.kind.clone();
        let crd = serde_json::to_value(crd).unwrap();
        let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        collect(&kind, &root["properties"]["spec"], &mut found);
    }
    found
}

fn collect(path: &str, node: &Value, found: &mut BTreeSet<String>) {
    let inner = if node["items"].is_object() {
        &node["items"]
    } else {
        node
    };
    match inner["properties"].as_object() {
        Some(properties) => {
            for (name, below) in properties {
                collect(&format!("{path}.{name}"), below, found);
            }
        }
        None => {
            found.insert(path.to_owned());
        }
    }
}

fn covers(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix("**") {
        Some(start) => path.starts_with(start),
        None => path == pattern,
    }
}

#[test]
fn every_spec_field_has_a_reader() {
    let fields = fields();
    assert!(fields.len() > 100, "{fields:?}");
    for field in &fields {
        let readers = READERS
            .iter()
            .filter(|(pattern, _)| covers(pattern, field))
            .count();
        assert_eq!(readers, 1, "{field} must have one line in READERS");
    }
    for (pattern, _) in READERS {
        assert!(
            fields.iter().any(|field| covers(pattern, field)),
            "{pattern} names no field"
        );
    }
}
