//! Checks of the API server and of what it admits.

use anyhow::{Context, bail};

use super::super::files;
use super::super::state::{Phase, State};
use super::kubectl::{contains, equals, refused};
use super::{Check, Smoke};

pub(super) const CHECKS: &[Check] = &[
    ("all programs run, none ended by itself", programs_run),
    ("node Ready", node_is_ready),
    ("the API server has the released version", version),
    ("CRD: CEL accepts what holds", cel_accepts),
    ("CRD: CEL refuses what does not", cel_refuses),
    ("admission policy refuses", admission_policy),
    ("Pod Security refuses a privileged pod", pod_security),
    ("RBAC: a ServiceAccount may do nothing by itself", rbac_denies),
    ("RBAC: a binding allows exactly its rule", rbac_allows),
];

fn programs_run(smoke: &Smoke) -> anyhow::Result<()> {
    let state: State =
        files::read_json(&smoke.place.state())?.context("the cluster says nothing about itself")?;
    if state.phase != Phase::Ready {
        bail!("the cluster is not ready: {:?}", state.phase);
    }
    for (component, running) in state.components {
        if running.restarts > 0 {
            bail!(
                "{} was started again {} times",
                component.name(),
                running.restarts
            );
        }
    }
    Ok(())
}

fn node_is_ready(smoke: &Smoke) -> anyhow::Result<()> {
    smoke.kubectl.wait("default", "condition=Ready", &["node/node1"])
}

fn version(smoke: &Smoke) -> anyhow::Result<()> {
    let answer = smoke.kubectl.run(&["get", "--raw=/version"])?;
    let go_mod = include_str!("../../../../test/cluster/kubebin/go.mod");
    let line = go_mod
        .lines()
        .find(|line| line.trim().starts_with("k8s.io/kubernetes "))
        .context("no version in go.mod")?;
    contains(&answer, line.split_whitespace().nth(1).unwrap_or_default())
}

fn pair(low: i32, high: i32) -> String {
    format!(
        "{{apiVersion: smoke.sympozium.ai/v1, kind: Pair, metadata: {{generateName: pair-, namespace: smoke}}, \
         spec: {{low: {low}, high: {high}}}}}"
    )
}

fn create(smoke: &Smoke, text: &str) -> anyhow::Result<String> {
    smoke.kubectl.run_with(&["create", "--filename=-"], text)
}

fn cel_accepts(smoke: &Smoke) -> anyhow::Result<()> {
    smoke.kubectl.wait(
        "default",
        "condition=Established",
        &["crd/pairs.smoke.sympozium.ai"],
    )?;
    create(smoke, &pair(1, 2)).map(drop)
}

fn cel_refuses(smoke: &Smoke) -> anyhow::Result<()> {
    refused(create(smoke, &pair(2, 1)), "low must not be above high")
}

fn admission_policy(smoke: &Smoke) -> anyhow::Result<()> {
    let config_map = |key: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{generateName: x-, namespace: smoke}}, data: {{{key}: x}}}}"
        )
    };
    create(smoke, &config_map("allowed"))?;
    refused(
        create(smoke, &config_map("forbidden")),
        "the smoke policy forbids this key",
    )
}

fn pod_security(smoke: &Smoke) -> anyhow::Result<()> {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: privileged, namespace: smoke-restricted}, \
               spec: {containers: [{name: a, image: localhost/busybox:1, securityContext: {privileged: true}}]}}";
    refused(create(smoke, pod), "violates PodSecurity \"restricted")
}

fn can(smoke: &Smoke, verb: &str, resource: &str) -> String {
    let words = [
        "auth",
        "can-i",
        verb,
        resource,
        "--namespace=smoke",
        "--as=system:serviceaccount:smoke:default",
    ];
    // "no" is also told by the exit code, which then is an error here.
    smoke
        .kubectl
        .run(&words)
        .unwrap_or_else(|error| format!("{error:#}"))
}

fn rbac_denies(smoke: &Smoke) -> anyhow::Result<()> {
    for resource in ["pods", "secrets", "configmaps"] {
        let answer = can(smoke, "list", resource);
        if !answer.trim().ends_with("no") {
            bail!("list {resource}: {answer}");
        }
    }
    Ok(())
}

fn rbac_allows(smoke: &Smoke) -> anyhow::Result<()> {
    let kubectl = &smoke.kubectl;
    kubectl.run(&[
        "--namespace=smoke",
        "create",
        "role",
        "reader",
        "--verb=list",
        "--resource=pods",
    ])?;
    kubectl.run(&[
        "--namespace=smoke",
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        "--serviceaccount=smoke:default",
    ])?;
    equals(&can(smoke, "list", "pods"), "yes")?;
    let other = can(smoke, "delete", "pods");
    if !other.trim().ends_with("no") {
        bail!("delete pods: {other}");
    }
    Ok(())
}
