//! Ended runs beyond the history's limit are deleted. Lists are of metadata, and only now and then.

use super::world::World;
use crate::crd::v1alpha1::AgentRun;
use crate::operator::error::Error;
use crate::operator::run::{Ended, beyond};
use crate::operator::watch::Key;
use kube::Api;
use kube::api::ListParams;

/// After so many ended runs the history is looked at.
const EVERY: u32 = 10;
/// Selects runs that have ended; one that has no phase yet has not.
const ENDED: &str = "status.phase!=,status.phase!=Pending,status.phase!=Queued,status.phase!=Running,status.phase!=AwaitingApproval";

impl World {
    /// Deletes the oldest ended runs of an instance beyond the limit, if enough have ended to make it worth a look.
    pub(super) async fn prune_instance(&self, instance: &Key) -> Result<(), Error> {
        if !self.memos.take_due(instance, EVERY) {
            return Ok(());
        }
        let fields = format!("{ENDED},spec.instanceRef={}", instance.name);
        self.prune(&instance.namespace, &fields, "", self.settings.history_limit)
            .await
    }

    /// The same for a schedule, which may keep fewer.
    pub(super) async fn prune_schedule(&self, schedule: &Key, limit: Option<u32>) -> Result<(), Error> {
        let Some(limit) = limit else { return Ok(()) };
        if !self.memos.take_due(&super::memos::of_schedule(schedule), 1) {
            return Ok(());
        }
        let labels = format!("{}={}", super::names::SCHEDULE, schedule.name);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.prune(&schedule.namespace, ENDED, &labels, limit).await
    }

    async fn prune(&self, namespace: &str, fields: &str, labels: &str, keep: usize) -> Result<(), Error> {
        let api: Api<AgentRun> = Api::namespaced(self.applier.client().clone(), namespace);
        let params = ListParams::default().fields(fields).labels(labels);
        let listed = self
            .applier
            .ask("list", namespace, "", "agentruns", api.list_metadata(&params))
            .await?;
        let ended = listed.items.into_iter().filter_map(|run| {
            Some(Ended {
                created: run.metadata.creation_timestamp?.0,
                name: run.metadata.name?,
                uid: run.metadata.uid?,
            })
        });
        for run in beyond(ended.collect(), keep) {
            self.applier
                .delete::<AgentRun>(namespace, &run.name, Some(&run.uid))
                .await?;
        }
        Ok(())
    }
}
