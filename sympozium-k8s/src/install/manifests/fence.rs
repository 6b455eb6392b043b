//! What the operator can't do though its rights would allow it.
//!
//! `escalate`, `bind` and the making of Jobs would be as good as being the cluster's administrator. Admission policies on
//! the operator's identity allow only what its reconcilers do: the API server decides, before anything is stored, and the
//! operator may not touch these policies.

use super::cluster_metadata;
use crate::install::InstallOptions;
use crate::install::names::{GATEWAY, OPERATOR};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec,
    Validation,
};

/// A policy, and that it holds everywhere.
pub(super) struct Fence {
    pub(super) policy: ValidatingAdmissionPolicy,
    pub(super) binding: ValidatingAdmissionPolicyBinding,
}

/// What a policy is about: kinds of a group, and operations.
pub(super) struct About<'a> {
    pub(super) name: String,
    pub(super) part: &'a str,
    pub(super) group: &'a str,
    pub(super) resources: &'a [&'a str],
    pub(super) operations: &'a [&'a str],
    /// CEL: which requests it is about.
    pub(super) condition: String,
    /// CEL, and the message when it is false.
    pub(super) rules: Vec<(String, &'a str)>,
}

const WRITES: [&str; 2] = ["CREATE", "UPDATE"];
const ALL: [&str; 3] = ["CREATE", "UPDATE", "DELETE"];
const RBAC: &str = "rbac.authorization.k8s.io";
/// The name of the object, whatever is done with it.
const NAME: &str = "(request.operation == 'DELETE' ? oldObject : object).metadata.name";

/// All fences of the operator.
pub(super) fn fences(options: &InstallOptions) -> Vec<Fence> {
    let about = [
        roles(options, "roles"),
        roles(options, "clusterroles"),
        bindings(options),
        jobs(options),
        core_names(options),
        network_policies(options),
        pods(options),
    ];
    about.iter().map(|about| fence(options, about)).collect()
}

/// A policy and its binding.
pub(super) fn fence(options: &InstallOptions, about: &About<'_>) -> Fence {
    let owned = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
    let rule = NamedRuleWithOperations {
        api_groups: owned(&[about.group]),
        api_versions: owned(&["*"]),
        operations: owned(about.operations),
        resources: owned(about.resources),
        ..NamedRuleWithOperations::default()
    };
    let validation = |(expression, message): &(String, &str)| Validation {
        expression: expression.clone(),
        message: Some((*message).to_owned()),
        reason: Some("Forbidden".to_owned()),
        ..Validation::default()
    };
    Fence {
        policy: ValidatingAdmissionPolicy {
            metadata: cluster_metadata(options, &about.name, about.part),
            spec: Some(ValidatingAdmissionPolicySpec {
                failure_policy: Some("Fail".to_owned()),
                match_constraints: Some(MatchResources {
                    resource_rules: Some(vec![rule]),
                    ..MatchResources::default()
                }),
                match_conditions: Some(vec![MatchCondition {
                    name: "who".to_owned(),
                    expression: about.condition.clone(),
                }]),
                validations: Some(about.rules.iter().map(validation).collect()),
                ..ValidatingAdmissionPolicySpec::default()
            }),
            status: None,
        },
        binding: ValidatingAdmissionPolicyBinding {
            metadata: cluster_metadata(options, &about.name, about.part),
            spec: Some(ValidatingAdmissionPolicyBindingSpec {
                policy_name: Some(about.name.clone()),
                validation_actions: Some(vec!["Deny".to_owned()]),
                ..ValidatingAdmissionPolicyBindingSpec::default()
            }),
        },
    }
}

fn of_operator<'a>(options: &InstallOptions, resource: &str) -> About<'a> {
    About {
        name: format!("{OPERATOR}-{resource}"),
        part: OPERATOR,
        group: "",
        resources: &[],
        operations: &ALL,
        condition: format!(
            "request.userInfo.username == 'system:serviceaccount:{}:{OPERATOR}'",
            options.namespace
        ),
        rules: Vec::new(),
    }
}

/// A rule that need not hold for what is deleted.
fn written(expression: &str) -> String {
    format!("request.operation == 'DELETE' || {expression}")
}

/// A condition that every rule of a role must meet.
fn every_rule(condition: &str) -> String {
    written(&format!("!has(object.rules) || object.rules.all(r, {condition})"))
}

fn roles<'a>(options: &InstallOptions, resource: &'static str) -> About<'a> {
    let mut rules = vec![
        role_names(resource == "roles"),
        (
            every_rule(
                "r.verbs.all(v, !v.contains('*')) && (!has(r.apiGroups) || r.apiGroups.all(g, !g.contains('*'))) && (!has(r.resources) || r.resources.all(n, !n.contains('*')))",
            ),
            "the operator may give no right by *",
        ),
        (
            every_rule("!r.verbs.exists(v, v in ['escalate', 'bind', 'impersonate'])"),
            "the operator may not give escalate, bind or impersonate",
        ),
        (
            every_rule("!has(r.nonResourceURLs) || r.nonResourceURLs.size() == 0"),
            "the operator may give rights on resources alone",
        ),
        (
            secrets(),
            "Secrets are read by the gateway alone, with get and by their names",
        ),
    ];
    if resource == "clusterroles" {
        rules.push((
            written("!has(object.aggregationRule)"),
            "the operator may make no roles that take up others",
        ));
    }
    About {
        group: RBAC,
        resources: if resource == "roles" {
            &["roles"]
        } else {
            &["clusterroles"]
        },
        rules,
        ..of_operator(options, resource)
    }
}

fn role_names<'a>(namespaced: bool) -> (String, &'a str) {
    let skills = format!("{NAME}.startsWith('sympozium-skill-')");
    if namespaced {
        return (
            format!("{skills} || {NAME}.startsWith('{GATEWAY}-')"),
            "the operator may only touch roles named sympozium-skill-* and sympozium-gateway-*",
        );
    }
    (
        skills,
        "the operator may only touch cluster roles named sympozium-skill-*",
    )
}

/// A role named for the gateway is about Secrets and nothing else; every other one is about none.
fn secrets() -> String {
    let named = "has(r.resources) && r.resources == ['secrets'] && r.apiGroups == [''] && r.verbs == ['get'] && has(r.resourceNames) && r.resourceNames.size() > 0";
    let none = "!has(r.resources) || !r.resources.exists(n, n == 'secrets' || n.startsWith('secrets/'))";
    every_rule(&format!(
        "object.metadata.name.startsWith('{GATEWAY}-') ? ({named}) : ({none})"
    ))
}

fn bindings<'a>(options: &InstallOptions) -> About<'a> {
    let gateway = format!("s.name == '{GATEWAY}' && s.namespace == '{}'", options.namespace);
    About {
        group: RBAC,
        resources: &["rolebindings", "clusterrolebindings"],
        rules: vec![
            (
                format!(
                    "{NAME}.startsWith('sympozium-skill-') || (request.resource.resource == 'rolebindings' && {NAME}.startsWith('{GATEWAY}-'))"
                ),
                "the operator may only touch bindings named sympozium-skill-* and sympozium-gateway-*",
            ),
            (
                written("object.roleRef.name == object.metadata.name"),
                "the operator may only bind the role of the binding's own name",
            ),
            (
                written(&format!(
                    "has(object.subjects) && object.subjects.all(s, s.kind == 'ServiceAccount' && (object.metadata.name.startsWith('{GATEWAY}-') ? ({gateway}) : s.name.startsWith('sympozium-run-')))"
                )),
                "roles of skills are for ServiceAccounts named sympozium-run-*, those with Secrets for the gateway",
            ),
        ],
        ..of_operator(options, "bindings")
    }
}

fn jobs<'a>(options: &InstallOptions) -> About<'a> {
    let pod = "object.spec.template.spec";
    let unprivileged = |list: &str| {
        format!(
            "(!has({pod}.{list}) || {pod}.{list}.all(c, !has(c.securityContext) || !has(c.securityContext.privileged) || !c.securityContext.privileged))"
        )
    };
    About {
        group: "batch",
        resources: &["jobs"],
        operations: &WRITES,
        rules: vec![
            (
                format!(
                    "has({pod}.serviceAccountName) && {pod}.serviceAccountName.startsWith('sympozium-run-')"
                ),
                "pods that the operator makes are ServiceAccounts named sympozium-run-*",
            ),
            (
                ["hostNetwork", "hostPID", "hostIPC"]
                    .map(|field| format!("(!has({pod}.{field}) || !{pod}.{field})"))
                    .join(" && "),
                "pods that the operator makes share nothing with their node",
            ),
            (
                format!("!has({pod}.volumes) || {pod}.volumes.all(v, !has(v.hostPath))"),
                "pods that the operator makes see no files of their node",
            ),
            (
                format!(
                    "{} && {}",
                    unprivileged("containers"),
                    unprivileged("initContainers")
                ),
                "pods that the operator makes are not privileged",
            ),
        ],
        ..of_operator(options, "jobs")
    }
}

fn core_names<'a>(options: &InstallOptions) -> About<'a> {
    let config_map = format!(
        "{NAME}.endsWith('-memory') || {NAME}.startsWith('sympozium-ca-') || {NAME}.startsWith('sympozium-skills.')"
    );
    About {
        resources: &["serviceaccounts", "configmaps"],
        rules: vec![(
            format!(
                "request.resource.resource == 'serviceaccounts' ? {NAME}.startsWith('sympozium-run-') : ({config_map})"
            ),
            "the operator may only touch ServiceAccounts named sympozium-run-*, and ConfigMaps with memory, certificates or skills",
        )],
        ..of_operator(options, "names")
    }
}

fn network_policies<'a>(options: &InstallOptions) -> About<'a> {
    About {
        group: "networking.k8s.io",
        resources: &["networkpolicies"],
        rules: vec![(
            format!("{NAME}.startsWith('sympozium-run-pods-')"),
            "the operator may only touch NetworkPolicies named sympozium-run-pods-*",
        )],
        ..of_operator(options, "networkpolicies")
    }
}

fn pods<'a>(options: &InstallOptions) -> About<'a> {
    About {
        resources: &["pods"],
        operations: &["DELETE"],
        rules: vec![(
            "has(oldObject.metadata.labels) && 'sympozium.ai/component' in oldObject.metadata.labels && oldObject.metadata.labels['sympozium.ai/component'] == 'agent-run'".to_owned(),
            "the operator may only delete pods of runs",
        )],
        ..of_operator(options, "pods")
    }
}
