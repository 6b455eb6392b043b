//! Writes how a run stands. That it has ended is written once: on the very state that it was decided on.

use super::{Named, Runs};
use crate::crd::v1alpha1::{AgentRun, AgentRunStatus};
use crate::objects::names;
use crate::operator::controllers::memos::{Ending, of_schedule};
use crate::operator::controllers::names::SCHEDULE;
use crate::operator::controllers::told::acknowledge;
use crate::operator::error::Error;
use crate::operator::queue::Look;
use crate::operator::run::{End, RunDecision, end_event};
use crate::operator::watch::Key;
use kube::Resource;
use serde::Serialize;
use sympozium_core::ids::RunUid;

/// A status, as server-side apply wants it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::operator::controllers) struct StatusPatch<'a, S> {
    api_version: String,
    kind: String,
    metadata: PatchMetadata<'a>,
    status: &'a S,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PatchMetadata<'a> {
    name: &'a str,
    namespace: &'a str,
    /// What was decided on; another one refuses the write.
    resource_version: Option<&'a str>,
}

impl<'a, S: Serialize> StatusPatch<'a, S> {
    /// The status of an object, to be written on the state that `object` shows.
    pub(in crate::operator::controllers) fn of<K: Resource<DynamicType = ()>>(
        object: &'a K,
        status: &'a S,
    ) -> Self {
        let metadata = object.meta();
        Self {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            metadata: PatchMetadata {
                name: metadata.name.as_deref().unwrap_or_default(),
                namespace: metadata.namespace.as_deref().unwrap_or_default(),
                resource_version: metadata.resource_version.as_deref(),
            },
            status,
        }
    }
}

impl Runs {
    pub(super) async fn commit(
        &self,
        run: &AgentRun,
        named: &Named,
        decision: RunDecision,
    ) -> Result<Look, Error> {
        let changed = run.status.as_ref() != Some(&decision.status);
        if !changed || decision.status_can_wait {
            return Ok(decision.look_again);
        }
        let written = self.write(run, named, &decision.status).await;
        let written = match written {
            // It was deleted.
            Err(error) if error.is_not_found() => {
                self.world.caches.runs.forget(run);
                return self.gone(&named.key).await;
            }
            other => other?,
        };
        match decision.end {
            None => {
                self.world.caches.runs.observe(written);
                Ok(decision.look_again)
            }
            Some(end) => {
                self.end(&written, named, &end);
                self.acknowledge(named).await;
                self.ended(&named.key).await
            }
        }
    }

    async fn write(&self, run: &AgentRun, named: &Named, status: &AgentRunStatus) -> Result<AgentRun, Error> {
        let patch = StatusPatch::of(run, status);
        let (namespace, name) = (named.key.namespace.as_str(), named.key.name.as_str());
        self.written(
            named,
            self.world.applier.apply_status(namespace, name, &patch).await,
        )
    }

    /// What is left to do for a run that has ended.
    pub(super) fn keep_ending(&self, run: &AgentRun, key: &Key, uid: RunUid, end: &End) {
        let text = uid.to_string();
        let (made, granted) = self.world.memos.with(&text, |memo| {
            let own_account = memo.tried.is_some_and(|tried| tried.own_account);
            let made = memo.made_at.is_some() || memo.tried.is_some();
            (made, own_account || !memo.grants.is_empty())
        });
        let own = names::run_service_account(uid);
        let pod = self.world.caches.pods.of_run(&text);
        let uses_own = granted || pod.as_ref().is_some_and(|pod| pod.service_account == own);
        self.world.memos.end(
            key,
            Ending {
                uid: text,
                at: end.at.max(self.world.clock.now()),
                service_account: uses_own.then_some(own),
                pod_may_come: made && pod.is_none(),
                event: Some(Box::new(end_event(run, end, &self.world.settings.reporter))),
            },
        );
    }

    /// The end is written. Everything from here on can only be late, never wrong.
    fn end(&self, run: &AgentRun, named: &Named, end: &End) {
        let writes = self.world.memos.with(&named.uid(), |memo| {
            memo.committed = true;
            memo.writes
        });
        self.keep_ending(run, &named.key, named.run.uid, end);
        self.world.caches.runs.forget(run);
        let next = self.world.slots().release(named.run.uid);
        self.world.wake_runs(next);
        self.world.memos.no_more_children(&named.key);
        let instance = Key::new(named.key.namespace.clone(), named.instance.name.as_str());
        self.world.memos.count_ended(&instance);
        self.world.queues.instances.push(instance);
        if let Some(schedule) = run.metadata.labels.as_ref().and_then(|all| all.get(SCHEDULE)) {
            let schedule = Key::new(named.key.namespace.clone(), schedule.clone());
            self.world.memos.count_ended(&of_schedule(&schedule));
            self.world.queues.schedules.push(schedule);
        }
        metrics::counter!("sympozium_operator_runs_ended_total", "phase" => end.phase.as_str()).increment(1);
        metrics::histogram!("sympozium_operator_run_api_writes").record(f64::from(writes));
    }

    /// What told the result is acknowledged after it is written, never before.
    async fn acknowledge(&self, named: &Named) {
        let deliveries = self
            .world
            .memos
            .with(&named.uid(), |memo| std::mem::take(&mut memo.deliveries));
        for delivery in deliveries {
            acknowledge(delivery).await;
        }
    }
}
