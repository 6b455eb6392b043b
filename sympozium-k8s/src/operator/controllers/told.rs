//! What runs tell on the event bus, put where the run controller finds it.

use super::world::World;
use crate::crd::v1alpha1::AgentRun;
use crate::operator::error::Error;
use crate::operator::run::Found;
use crate::operator::watch::{Key, LIVE};
use kube::Api;
use kube::api::ListParams;
use std::time::Duration;
use sympozium_core::bus::Delivery;
use sympozium_core::error::chain;
use sympozium_core::ids::{InstanceRef, RunUid};
use tokio::time::timeout;

/// How long an acknowledgement may take.
const ACK_LIMIT: Duration = Duration::from_secs(5);
/// From this delivery on the API server is asked whether there is such a run at all.
const ASK_FROM: u32 = 3;

impl World {
    /// Takes a result. The first one counts. Gives the delivery back if its run is not known, and may yet be.
    pub(in crate::operator) async fn take_result(
        &self,
        run: RunUid,
        found: Found,
        delivery: Delivery,
    ) -> Option<Delivery> {
        let uid = run.to_string();
        let instance = delivery.envelope.subject.instance.clone();
        let key = self.caches.runs.key_of(&uid);
        let committed = self.memos.knows(&uid, |memo| memo.committed).unwrap_or(false);
        if let Some(key) = key.filter(|_| !committed) {
            let fits = self
                .caches
                .runs
                .get(&key)
                .is_some_and(|run| run.spec.instance_ref == instance.name.as_str());
            if !fits || key.namespace != instance.namespace.as_str() {
                acknowledge(delivery).await;
                return None;
            }
            self.memos.with(&uid, |memo| {
                memo.key = Some(key.clone());
                memo.found.get_or_insert(found);
                memo.deliveries.push(delivery);
            });
            self.queues.runs.push(key);
            return None;
        }
        if committed
            || (delivery.attempt >= ASK_FROM && matches!(self.is_live(&uid, &instance).await, Ok(false)))
        {
            acknowledge(delivery).await;
            return None;
        }
        Some(delivery)
    }

    /// Takes a question that waits for a person, or its answer.
    pub(in crate::operator) fn take_question(&self, run: RunUid, question: String, asks: bool) {
        let uid = run.to_string();
        let Some(key) = self.caches.runs.key_of(&uid) else {
            return;
        };
        self.memos.with(&uid, |memo| {
            memo.key = Some(key.clone());
            let questions = memo.questions.get_or_insert_default();
            if asks {
                questions.insert(question);
            } else {
                questions.remove(&question);
            }
        });
        self.queues.runs.push(key);
    }

    /// Whether a run of an instance has not ended, as the API server says.
    async fn is_live(&self, uid: &str, instance: &InstanceRef) -> Result<bool, Error> {
        let namespace = instance.namespace.as_str();
        let api: Api<AgentRun> = Api::namespaced(self.applier.client().clone(), namespace);
        let params = ListParams::default().fields(&format!("{LIVE},spec.instanceRef={}", instance.name));
        let listed = self
            .applier
            .ask("list", namespace, "", "agentruns", api.list_metadata(&params))
            .await?;
        Ok(listed
            .items
            .iter()
            .any(|run| run.metadata.uid.as_deref() == Some(uid)))
    }

    /// Counts of runs by phase, for metrics.
    pub(in crate::operator) fn count_runs(&self) {
        use sympozium_core::run::RunPhase;
        let runs = self.caches.runs.all();
        for phase in RunPhase::ALL.into_iter().filter(|phase| !phase.is_terminal()) {
            let of_phase = |run: &&std::sync::Arc<AgentRun>| {
                let status = run.status.as_ref().and_then(|status| status.phase);
                status.unwrap_or(RunPhase::Pending) == phase
            };
            let count = runs.iter().filter(of_phase).count();
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            metrics::gauge!("sympozium_operator_runs", "phase" => phase.as_str()).set(f64::from(count));
        }
    }

    /// The key of an ended run's leftovers that must still be seen to, for the drain of a leader that stops.
    pub(in crate::operator) fn owes_events(&self) -> Vec<Key> {
        self.memos.owed()
    }
}

/// Says that a message is acted on. A bus that is out of reach is not waited for: the message comes again, and changes
/// nothing.
pub(super) async fn acknowledge(delivery: Delivery) {
    match timeout(ACK_LIMIT, delivery.ack()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = chain(&error), "a message comes again"),
        Err(_) => tracing::debug!("a message comes again: the bus does not answer"),
    }
}
