//! What is left to do for runs that have ended, or were deleted.

use super::Runs;
use crate::crd::v1alpha1::AgentRun;
use crate::operator::conditions::{ConditionType, Said, set};
use crate::operator::controllers::memos::Ending;
use crate::operator::controllers::runs::commit::StatusPatch;
use crate::operator::controllers::told::acknowledge;
use crate::operator::error::Error;
use crate::operator::queue::Look;
use crate::operator::run::{After, AfterView, End, after};
use crate::operator::watch::Key;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use sympozium_core::ids::RunUid;

impl Runs {
    /// Goes on with what is left of the ended runs of this name.
    pub(super) async fn ended(&self, key: &Key) -> Result<Look, Error> {
        self.publish(key).await?;
        let mut look: Look = None;
        for ending in self.world.memos.endings(key) {
            let next = self.finish(key, &ending).await?;
            look = match (look, next) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        Ok(look)
    }

    /// Publishes the Events of ended runs of this name, each once.
    pub(in crate::operator) async fn publish(&self, key: &Key) -> Result<(), Error> {
        for ending in self.world.memos.endings(key) {
            if let Some(event) = &ending.event {
                self.world.applier.create(event.as_ref()).await?;
                self.world.memos.published(key, &ending.uid);
            }
        }
        Ok(())
    }

    async fn finish(&self, key: &Key, ending: &Ending) -> Result<Look, Error> {
        if self.is_live(&ending.uid) {
            // A new leader saw the pod before it saw the run.
            self.world.memos.over(key, &ending.uid);
            return Ok(None);
        }
        let pod = self.world.caches.pods.of_run(&ending.uid);
        let After {
            stop,
            lost,
            done,
            look_again,
        } = after(&AfterView {
            pod: pod.as_ref(),
            pod_may_come: ending.pod_may_come,
            ended_at: ending.at,
            now: self.world.clock.now(),
        });
        let applier = &self.world.applier;
        if let Some(pod) = pod.filter(|_| stop)
            && self.has_ended(key, &ending.uid).await?
        {
            applier
                .delete::<Pod>(&key.namespace, &pod.name, Some(&pod.uid))
                .await?;
        }
        if let Some(lost) = lost {
            self.say_lost(key, &ending.uid, lost).await?;
        }
        if !done {
            return Ok(look_again);
        }
        if let Some(account) = &ending.service_account {
            applier
                .delete::<ServiceAccount>(&key.namespace, account, None)
                .await?;
        }
        self.world.memos.over(key, &ending.uid);
        Ok(None)
    }

    fn is_live(&self, uid: &str) -> bool {
        self.world.caches.runs.key_of(uid).is_some() && !self.world.memos.with(uid, |memo| memo.committed)
    }

    /// Whether a run has ended or is no more, as the API server says.
    async fn has_ended(&self, key: &Key, uid: &str) -> Result<bool, Error> {
        let run: Option<AgentRun> = self.world.applier.get(&key.namespace, &key.name).await?;
        let run = run.filter(|run| run.metadata.uid.as_deref() == Some(uid));
        Ok(run.is_none_or(|run| {
            let phase = run.status.and_then(|status| status.phase);
            phase.is_some_and(sympozium_core::run::RunPhase::is_terminal)
        }))
    }

    /// The one write to a run that has ended: what it sent and nobody got.
    async fn say_lost(&self, key: &Key, uid: &str, lost: String) -> Result<(), Error> {
        let run: Option<AgentRun> = self.world.applier.get(&key.namespace, &key.name).await?;
        let Some(run) = run.filter(|run| run.metadata.uid.as_deref() == Some(uid)) else {
            return Ok(());
        };
        let mut status = run.status.clone().unwrap_or_default();
        let said = Said::new(ConditionType::EventsLost, true, "NotSent", lost);
        set(
            &mut status.conditions,
            said,
            run.metadata.generation,
            self.world.clock.now(),
        );
        if run.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let patch = StatusPatch::of(&run, &status);
        let _: AgentRun = self
            .world
            .applier
            .apply_status(&key.namespace, &key.name, &patch)
            .await?;
        Ok(())
    }

    /// Frees what runs held that are live no more: they have ended, or were deleted.
    pub(super) async fn release_gone(&self, key: &Key) -> Result<(), Error> {
        for uid in self.world.memos.uids_of(key) {
            let live = self.world.caches.runs.get(key);
            if live.is_some_and(|run| run.metadata.uid.as_deref() == Some(&uid)) {
                continue;
            }
            let (committed, grants) = self
                .world
                .memos
                .with(&uid, |memo| (memo.committed, memo.grants.clone()));
            let Ok(run) = uid.parse::<RunUid>() else { continue };
            if !committed {
                self.take_rights(run, &grants).await?;
                self.learn_end(key, run).await?;
            }
            let memo = self.world.memos.forget(&uid);
            let next = self.world.slots().release(run);
            self.world.wake_runs(next);
            for delivery in memo.into_iter().flat_map(|memo| memo.deliveries) {
                // The run is no more: what told its result has nothing to do.
                acknowledge(delivery).await;
            }
        }
        Ok(())
    }

    /// A run left the cache without our knowing of its end: it was deleted, or another leader wrote its end, or we did and
    /// never got the answer.
    async fn learn_end(&self, key: &Key, uid: RunUid) -> Result<(), Error> {
        let run: Option<AgentRun> = self.world.applier.get(&key.namespace, &key.name).await?;
        let run = run.filter(|run| run.metadata.uid.as_deref() == Some(&uid.to_string()));
        let end = run
            .as_ref()
            .and_then(|run| run.status.as_ref())
            .and_then(End::of_status);
        if let (Some(run), Some(end)) = (&run, &end) {
            self.keep_ending(run, key, uid, end);
        }
        Ok(())
    }
}
