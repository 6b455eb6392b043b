//! The schedule controller: starts runs that are due, once each.

use super::runs::StatusPatch;
use super::world::World;
use crate::convert;
use crate::crd::v1alpha1::{AgentRun, SympoziumSchedule};
use crate::operator::error::Error;
use crate::operator::queue::{Look, Reconcile};
use crate::operator::schedule::{Decision, LiveRun, View, decide};
use crate::operator::watch::Key;
use async_trait::async_trait;
use std::sync::Arc;
use sympozium_core::policy::{Feature, Outcome, Policy, PolicyName, PolicyOrigin, decide_feature};

/// The schedule controller.
#[derive(Debug)]
pub(in crate::operator) struct Schedules {
    world: Arc<World>,
}

impl Schedules {
    pub(in crate::operator) const fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    fn live(&self, key: &Key) -> Vec<LiveRun> {
        let of_schedule = |run: &AgentRun| {
            let labels = run.metadata.labels.as_ref();
            run.metadata.namespace.as_deref() == Some(&key.namespace)
                && labels.and_then(|all| all.get(super::names::SCHEDULE)) == Some(&key.name)
        };
        let mut live: Vec<_> = self
            .world
            .caches
            .runs
            .filter(of_schedule)
            .iter()
            .map(|run| LiveRun {
                name: run.metadata.name.clone().unwrap_or_default(),
                cancel: run.spec.cancel,
            })
            .collect();
        live.sort_by(|one, other| one.name.cmp(&other.name));
        live
    }

    /// The sentence of the first policy that switches schedules off.
    fn denied(&self, schedule: &SympoziumSchedule, key: &Key) -> Option<String> {
        let policies = self.world.holding(&key.namespace, &schedule.spec.instance_ref);
        let read: Vec<Policy> = policies
            .iter()
            .filter_map(|policy| {
                let name = PolicyName(Key::of(policy.as_ref()).to_string());
                convert::policy(&policy.spec, name, PolicyOrigin::Instance).ok()
            })
            .map(|reading| reading.policy)
            .collect();
        // Without any policy nothing is denied here: the run itself is refused then, and says so.
        if read.is_empty() {
            return None;
        }
        let verdict = decide_feature(&read, Feature::Schedules, "spec.schedule");
        (verdict.outcome == Outcome::Deny)
            .then(|| format!("{} ({}): {}", verdict.policy, verdict.rule, verdict.reason))
    }

    async fn act(&self, schedule: &SympoziumSchedule, key: &Key, decision: &Decision) -> Result<(), Error> {
        for name in &decision.cancel {
            let wish = serde_json::json!({ "spec": { "cancel": true } });
            match self
                .world
                .applier
                .merge::<AgentRun>(&key.namespace, name, &wish)
                .await
            {
                Err(error) if !error.is_not_found() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        if let Some(run) = &decision.start {
            let made = self.world.applier.create(run.as_ref()).await?;
            let outcome = if made.is_some() {
                "started"
            } else {
                "there-already"
            };
            metrics::counter!("sympozium_operator_ticks_total", "outcome" => outcome).increment(1);
        }
        if schedule.status.as_ref() != Some(&decision.status) {
            let patch = StatusPatch::of(schedule, &decision.status);
            let written = self
                .world
                .applier
                .apply_status(&key.namespace, &key.name, &patch)
                .await?;
            self.world.caches.schedules.observe(written);
        }
        Ok(())
    }
}

#[async_trait]
impl Reconcile for Schedules {
    type Key = Key;
    const NAME: &'static str = "schedules";

    async fn reconcile(&self, key: &Key) -> Result<Look, Error> {
        let Some(schedule) = self.world.caches.schedules.get(key) else {
            return Ok(None);
        };
        if schedule.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let instance = Key::new(key.namespace.clone(), schedule.spec.instance_ref.clone());
        let instance = self.world.caches.instances.get(&instance);
        let denied = self.denied(&schedule, key);
        let decision = decide(&View {
            schedule: &schedule,
            instance: instance.as_deref(),
            live: &self.live(key),
            denied: denied.as_deref(),
            now: self.world.clock.now(),
        });
        self.act(&schedule, key, &decision).await?;
        self.world
            .prune_schedule(key, schedule.spec.history_limit)
            .await?;
        Ok(decision.look_again)
    }
}
