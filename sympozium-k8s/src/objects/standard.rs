//! The objects of a run as Sympozium itself makes them.

use super::names::{self, metadata};
use super::pod::{JOB_NET, MAX_JOB, describe, pod_template};
use super::rbac::{Grants, grants, rbac_objects};
use super::{BuildError, PodBuilder, RunObjects, RunSurroundings};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use sympozium_core::run::{Cleanup, RunPlan};

/// How long a Job stays after its end when it is to be deleted, in seconds: time to read the pod's log.
const KEPT_SECONDS: i32 = 300;

/// One Job with one pod, and for packs with rights an identity of the run's own with their roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardPodBuilder;

impl PodBuilder for StandardPodBuilder {
    fn build(&self, plan: &RunPlan, surroundings: &RunSurroundings<'_>) -> Result<RunObjects, BuildError> {
        let grants = grants(plan, surroundings);
        let template = pod_template(plan, surroundings, &grants)?;
        let rbac = rbac_objects(plan, &grants);
        let job = job(plan, template);
        check_size(&job)?;
        let Grants { given, dropped } = grants;
        Ok(RunObjects {
            job,
            config_maps: Vec::new(),
            service_account: rbac.service_account,
            roles: rbac.roles,
            role_bindings: rbac.role_bindings,
            cluster_roles: rbac.cluster_roles,
            cluster_role_bindings: rbac.cluster_role_bindings,
            grants: given,
            dropped,
        })
    }
}

fn job(plan: &RunPlan, template: PodTemplateSpec) -> Job {
    let mut metadata = metadata(
        plan.run.name.to_string(),
        Some(plan.run.namespace.as_str()),
        names::run_labels(plan),
        vec![names::owned_by_run(&plan.run)],
    );
    describe(plan, &mut metadata);
    Job {
        metadata,
        spec: Some(JobSpec {
            active_deadline_seconds: template.spec.as_ref().and_then(net),
            // A run is never tried again: what it did can't be undone.
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            ttl_seconds_after_finished: match plan.cleanup {
                Cleanup::Delete => Some(KEPT_SECONDS),
                Cleanup::Keep => None,
            },
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// The Job's own deadline, which takes the pod and its last words with it: later than everything that a pod may need.
fn net(pod: &PodSpec) -> Option<i64> {
    let net = i64::try_from(JOB_NET.as_secs()).unwrap_or(i64::MAX);
    let pod_at_most = pod
        .active_deadline_seconds?
        .saturating_add(pod.termination_grace_period_seconds?);
    Some(pod_at_most.saturating_add(net))
}

fn check_size(job: &Job) -> Result<(), BuildError> {
    let bytes = serde_json::to_vec(job)
        .map_err(|error| BuildError::Encode {
            what: "the Job",
            detail: error.to_string(),
        })?
        .len();
    if bytes > MAX_JOB {
        return Err(BuildError::TooLarge { bytes, max: MAX_JOB });
    }
    Ok(())
}
