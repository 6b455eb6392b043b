//! What an instance may say about its pods, put over them.
//!
//! It is a closed set, checked again here: a pod must stay what it is whatever an instance says.

use super::limits;
use crate::crd::v1alpha1::{PodTemplate, Toleration, TolerationEffect, TolerationOperator};
use crate::objects::BuildError;
use crate::objects::names::is_label_value;
use k8s_openapi::api::core::v1::{LocalObjectReference, PodSpec, Toleration as PodToleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Domains whose keys steer Kubernetes, Sympozium, or programs that change pods.
const RESERVED_DOMAINS: [&str; 7] = [
    "kubernetes.io",
    "k8s.io",
    "sympozium.ai",
    "istio.io",
    "linkerd.io",
    "hashicorp.com",
    "dapr.io",
];

/// Labels without a domain that Job controllers and others select by.
const RESERVED_LABELS: [&str; 4] = ["app", "pod-template-hash", "job-name", "controller-uid"];

/// Puts a template over a pod, or says what of it is not possible.
pub(super) fn apply(
    template: &PodTemplate,
    metadata: &mut ObjectMeta,
    spec: &mut PodSpec,
) -> Result<(), BuildError> {
    check_labels(&template.labels)?;
    check_annotations(&template.annotations)?;
    add(&template.labels, metadata.labels.get_or_insert_default());
    add(
        &template.annotations,
        metadata.annotations.get_or_insert_default(),
    );
    let secrets = template.image_pull_secrets.iter();
    spec.image_pull_secrets = given(
        secrets
            .map(|secret| LocalObjectReference {
                name: secret.name.clone(),
            })
            .collect(),
    );
    spec.node_selector = (!template.node_selector.is_empty()).then(|| template.node_selector.clone());
    spec.tolerations = given(template.tolerations.iter().map(toleration).collect());
    spec.priority_class_name.clone_from(&template.priority_class_name);
    spec.runtime_class_name.clone_from(&template.runtime_class_name);
    if let Some(resources) = &template.resources {
        for container in &mut spec.containers {
            container.resources = Some(limits::agent_of_instance(resources));
        }
    }
    Ok(())
}

fn given<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Adds what is not there yet.
fn add(more: &BTreeMap<String, String>, to: &mut BTreeMap<String, String>) {
    for (name, value) in more {
        to.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), BuildError> {
    for (key, value) in labels {
        let path = || format!("labels[{key}]");
        check_key(key, path)?;
        if RESERVED_LABELS.contains(&key.as_str()) {
            return refuse(path(), "is reserved for the programs that run pods");
        }
        if !is_label_value(value) {
            return refuse(path(), "has a value that is not one of a label");
        }
    }
    Ok(())
}

fn check_annotations(annotations: &BTreeMap<String, String>) -> Result<(), BuildError> {
    for key in annotations.keys() {
        check_key(key, || format!("annotations[{key}]"))?;
    }
    Ok(())
}

fn check_key(key: &str, path: impl Fn() -> String) -> Result<(), BuildError> {
    let (domain, name) = key
        .split_once('/')
        .map_or((None, key), |(domain, name)| (Some(domain), name));
    let well_formed = !name.is_empty() && is_label_value(name) && domain.is_none_or(is_subdomain);
    if !well_formed {
        return refuse(path(), "is not a key: write name or domain/name");
    }
    let reserved = domain.is_some_and(|domain| {
        RESERVED_DOMAINS.iter().any(|reserved| {
            domain
                .strip_suffix(reserved)
                .is_some_and(|before| before.is_empty() || before.ends_with('.'))
        })
    });
    if reserved {
        return refuse(path(), "is of a domain that is reserved");
    }
    Ok(())
}

/// A DNS subdomain, as the part of a key before the slash must be.
fn is_subdomain(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        label.bytes().all(|b| inner(b) || b == b'-')
            && label.bytes().next().is_some_and(inner)
            && label.bytes().last().is_some_and(inner)
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn refuse(path: String, problem: &'static str) -> Result<(), BuildError> {
    Err(BuildError::PodTemplate { path, problem })
}

fn toleration(given: &Toleration) -> PodToleration {
    let operator = given.operator.map(|operator| match operator {
        TolerationOperator::Exists => "Exists",
        TolerationOperator::Equal => "Equal",
    });
    let effect = given.effect.map(|effect| match effect {
        TolerationEffect::NoSchedule => "NoSchedule",
        TolerationEffect::PreferNoSchedule => "PreferNoSchedule",
        TolerationEffect::NoExecute => "NoExecute",
    });
    PodToleration {
        key: given.key.clone(),
        operator: operator.map(str::to_owned),
        value: given.value.clone(),
        effect: effect.map(str::to_owned),
        toleration_seconds: given.toleration_seconds,
    }
}
