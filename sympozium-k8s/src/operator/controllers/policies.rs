//! The policy controller: says what of a policy holds, and who names it.

use super::runs::StatusPatch;
use super::world::World;
use crate::crd::v1alpha1::SympoziumPolicy;
use crate::operator::error::Error;
use crate::operator::policy::decide;
use crate::operator::queue::{Look, Reconcile};
use crate::operator::watch::Key;
use async_trait::async_trait;
use std::sync::Arc;

/// The policy controller.
#[derive(Debug)]
pub(in crate::operator) struct Policies {
    world: Arc<World>,
}

impl Policies {
    pub(in crate::operator) const fn new(world: Arc<World>) -> Self {
        Self { world }
    }
}

#[async_trait]
impl Reconcile for Policies {
    type Key = Key;
    const NAME: &'static str = "policies";

    async fn reconcile(&self, key: &Key) -> Result<Look, Error> {
        let Some(policy) = self.world.caches.policies.get(key) else {
            return Ok(None);
        };
        let bound = self.world.caches.instances.filter(|instance| {
            instance.spec.policy_ref.as_deref() == Some(&key.name)
                && instance.metadata.namespace.as_deref() == Some(&key.namespace)
        });
        let settings = &self.world.settings;
        let install_wide = key.namespace == settings.system_namespace && key.name == settings.install_policy;
        let status = decide(&policy, bound.len(), install_wide, self.world.clock.now());
        if policy.status.as_ref() != Some(&status) {
            let patch = StatusPatch::of(policy.as_ref(), &status);
            let written: SympoziumPolicy = self
                .world
                .applier
                .apply_status(&key.namespace, &key.name, &patch)
                .await?;
            self.world.caches.policies.observe(written);
        }
        Ok(None)
    }
}
