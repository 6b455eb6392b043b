//! What there is of a run, and its result. A cache that shows nothing is no evidence: then the API server is asked.

use super::{Named, Runs};
use crate::crd::v1alpha1::AgentRun;
use crate::objects::names;
use crate::operator::error::Error;
use crate::operator::run::{
    Found, PodSeen, RunTiming, RunView, Wanted, first_of, from_termination_message, was_made,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Resource};

/// How long a Job that we applied ourselves is believed to be there.
const TRUST: SignedDuration = SignedDuration::from_secs(30);
/// How long after an agent's end a source that fails is waited for.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// What there is of a run.
#[derive(Debug, Clone)]
pub(super) enum Observation {
    /// Its pod.
    Pod(Box<PodSeen>),
    /// Its Job, without a pod.
    Job {
        /// It says that it failed.
        failed: bool,
    },
    /// Nothing.
    Nothing,
}

impl Runs {
    pub(super) async fn observe(&self, run: &AgentRun, named: &Named) -> Result<Observation, Error> {
        let uid = named.uid();
        if let Some(pod) = self.world.caches.pods.of_run(&uid) {
            return Ok(Observation::Pod(Box::new(pod)));
        }
        let (made_at, confirm, tried) = self
            .world
            .memos
            .with(&uid, |memo| (memo.made_at, memo.confirm, memo.tried.is_some()));
        if made_at.is_none() && !tried && !was_made(run) {
            return Ok(Observation::Nothing);
        }
        let fresh = made_at.is_some_and(|at| self.world.clock.now().duration_since(at) < TRUST);
        if fresh && !confirm {
            return Ok(Observation::Job { failed: false });
        }
        self.confirm(named).await
    }

    /// Asks the API server. A pod that it shows and the cache does not is taken from there.
    async fn confirm(&self, named: &Named) -> Result<Observation, Error> {
        let uid = named.uid();
        let (namespace, name) = (named.key.namespace.as_str(), named.key.name.as_str());
        let pods: Api<Pod> = Api::namespaced(self.world.applier.client().clone(), namespace);
        let selector = ListParams::default().labels(&format!("{}={uid}", names::RUN_UID));
        let listed = self
            .world
            .applier
            .ask("list", namespace, name, "pods", pods.list(&selector))
            .await?;
        if let Some(pod) = listed.items.first() {
            return Ok(Observation::Pod(Box::new(PodSeen::of(pod, names::RUN_UID))));
        }
        let job: Option<Job> = self.world.applier.get(namespace, name).await?;
        Ok(match job.filter(|job| owned_by(job, &uid)) {
            Some(job) => Observation::Job {
                failed: has_failed(&job),
            },
            None => Observation::Nothing,
        })
    }

    /// The result of a run whose agent has ended, or which another leader may have had at work.
    pub(super) async fn find(
        &self,
        run: &AgentRun,
        named: &Named,
        observation: &Observation,
        now: Timestamp,
    ) -> Result<Option<Found>, Error> {
        let told = self.world.memos.with(&named.uid(), |memo| memo.found.clone());
        if told.is_some() {
            return Ok(told);
        }
        let pod = match observation {
            Observation::Pod(pod) => Some(pod.as_ref()),
            Observation::Job { .. } | Observation::Nothing => None,
        };
        let view = bare(run, named, observation, now);
        let created = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let unknown_past =
            matches!(observation, Observation::Nothing) && created.is_some_and(|at| at < self.since);
        if !view.wants_result() && !unknown_past {
            return Ok(None);
        }
        let ended_at = pod.and_then(|pod| match &pod.agent {
            crate::operator::run::ContainerSeen::Terminated { at, .. } => *at,
            _ => None,
        });
        let may_wait = ended_at.is_none_or(|at| now.duration_since(at) < PATIENCE);
        let wanted = Wanted {
            run: &named.run,
            instance: &named.instance,
            pod,
        };
        let found = first_of(&self.world.sources, wanted, may_wait).await?;
        let found = found.or_else(|| pod.and_then(from_termination_message));
        if let Some(found) = &found {
            metrics::counter!("sympozium_operator_results_total", "origin" => found.origin.as_str())
                .increment(1);
        }
        Ok(found)
    }
}

/// A view that says only what there is of a run.
fn bare<'a>(
    run: &'a AgentRun,
    named: &'a Named,
    observation: &'a Observation,
    now: Timestamp,
) -> RunView<'a> {
    RunView {
        run,
        presence: observation.presence(),
        gate: None,
        found: None,
        asking: None,
        job_name: named.run.name.as_str(),
        made_at: None,
        grants: &[],
        note: None,
        now,
        timing: RunTiming::default(),
    }
}

/// A Job of the same name may be that of an earlier run.
fn owned_by(job: &Job, run_uid: &str) -> bool {
    job.meta()
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.uid == run_uid)
}

fn has_failed(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| {
        matches!(condition.type_.as_str(), "Failed" | "Complete") && condition.status == "True"
    })
}
