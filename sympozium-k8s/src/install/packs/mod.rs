//! The packs that come with an installation, with the least rights that make them useful. Pure.
//!
//! Texts are Markdown files beside this one. No pack reads Secrets, in a namespace or in the whole cluster; what of the
//! rules holds where is decided by [`rbac`](crate::objects::rbac).

mod rules;

use super::InstallOptions;
use super::options::Image;
use crate::crd::v1alpha1::{
    PackSkill, RbacRuleSpec, RequiresSpec, SidecarResources, SidecarSpec, SkillPack, SkillPackSpec,
};

/// A document of a pack: name, what it is for, text.
type Document = (&'static str, &'static str, &'static str);

/// All built-in packs.
pub fn all(options: &InstallOptions) -> Vec<SkillPack> {
    vec![k8s_ops(options), incident_response(options), code_review(options)]
}

/// Looks after workloads: reads everything but Secrets in the whole cluster, changes workloads in the instance's target
/// namespaces.
fn k8s_ops(options: &InstallOptions) -> SkillPack {
    let documents = [
        (
            "cluster-overview",
            "What runs in the cluster, and where something is wrong",
            include_str!("texts/cluster-overview.md"),
        ),
        (
            "pod-troubleshoot",
            "Why a pod does not start, restarts, or is not ready",
            include_str!("texts/pod-troubleshoot.md"),
        ),
        (
            "resource-management",
            "Scaling, restarting and changing workloads with care",
            include_str!("texts/resource-management.md"),
        ),
    ];
    let sidecar = kubectl(options, rules::workloads(), rules::reading_everywhere());
    pack(options, "k8s-ops", "kubernetes", &documents, Some(sidecar))
}

/// Looks into incidents: reads alone.
fn incident_response(options: &InstallOptions) -> SkillPack {
    let documents = [
        (
            "triage",
            "The first minutes of an incident: what is broken, since when, for whom",
            include_str!("texts/triage.md"),
        ),
        (
            "log-analysis",
            "Finding the cause in logs and events",
            include_str!("texts/log-analysis.md"),
        ),
        (
            "rollback-guide",
            "Deciding whether to roll back, and preparing it",
            include_str!("texts/rollback-guide.md"),
        ),
    ];
    let sidecar = kubectl(options, rules::reading_workloads(), Vec::new());
    pack(options, "incident-response", "sre", &documents, Some(sidecar))
}

/// Reads code: instructions alone, without a container and without rights.
fn code_review(options: &InstallOptions) -> SkillPack {
    let documents = [
        (
            "review-guidelines",
            "How to review a change",
            include_str!("texts/review-guidelines.md"),
        ),
        (
            "security-patterns",
            "What to look for where data from outside comes in",
            include_str!("texts/security-patterns.md"),
        ),
        (
            "go-review",
            "What goes wrong in Go in particular",
            include_str!("texts/go-review.md"),
        ),
    ];
    pack(options, "code-review", "development", &documents, None)
}

fn pack(
    options: &InstallOptions,
    name: &str,
    category: &str,
    documents: &[Document],
    sidecar: Option<SidecarSpec>,
) -> SkillPack {
    // What needs a container needs the tool by which commands get there.
    let requires = sidecar.as_ref().map(|_| RequiresSpec {
        bins: vec!["kubectl".to_owned()],
        tools: vec!["execute_command".to_owned()],
    });
    let skill = |(name, description, content): &Document| PackSkill {
        name: (*name).to_owned(),
        description: Some((*description).to_owned()),
        content: (*content).to_owned(),
        requires: requires.clone(),
    };
    SkillPack::new(
        name,
        SkillPackSpec {
            skills: documents.iter().map(skill).collect(),
            category: Some(category.to_owned()),
            source: Some("built-in".to_owned()),
            version: Some(options.version.clone()),
            runtime_requirements: None,
            sidecar,
        },
    )
}

/// A container with `kubectl`.
fn kubectl(
    options: &InstallOptions,
    rbac: Vec<RbacRuleSpec>,
    cluster_rbac: Vec<RbacRuleSpec>,
) -> SidecarSpec {
    SidecarSpec {
        image: options.image(Image::SkillK8sOps),
        command: Vec::new(),
        env: Vec::new(),
        mount_workspace: true,
        resources: Some(SidecarResources {
            cpu: "100m".parse().ok(),
            memory: "128Mi".parse().ok(),
        }),
        rbac,
        cluster_rbac,
        tools: Vec::new(),
        egress: Vec::new(),
    }
}
