//! How many there are, and how many at least while nodes are drained.

use super::metadata;
use crate::install::InstallOptions;
use crate::install::names::{self, GATEWAY};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Per cent of the requested CPU at which there come more gateways.
const BUSY: i32 = 70;

/// The gateways follow their load.
pub(super) fn gateway(options: &InstallOptions) -> HorizontalPodAutoscaler {
    HorizontalPodAutoscaler {
        metadata: metadata(options, GATEWAY, GATEWAY),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: GATEWAY.to_owned(),
            },
            min_replicas: Some(i32::from(options.replicas)),
            max_replicas: i32::from(options.max_gateways),
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(BUSY),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            behavior: None,
        }),
        status: None,
    }
}

/// One at a time may be moved elsewhere.
pub(super) fn disruption_budget(options: &InstallOptions, part: &str) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(options, part, part),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(names::selector(part)),
                match_expressions: None,
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
