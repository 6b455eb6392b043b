//! The pack controller: says whether runs can use a pack.

use super::runs::{StatusPatch, is_builtin};
use super::world::World;
use crate::crd::v1alpha1::SkillPack;
use crate::objects::names;
use crate::operator::error::Error;
use crate::operator::pack::decide;
use crate::operator::queue::{Look, Reconcile};
use crate::operator::watch::Key;
use async_trait::async_trait;
use std::sync::Arc;
use sympozium_core::ids::PackName;

/// The pack controller.
#[derive(Debug)]
pub(in crate::operator) struct Packs {
    world: Arc<World>,
}

impl Packs {
    pub(in crate::operator) const fn new(world: Arc<World>) -> Self {
        Self { world }
    }
}

#[async_trait]
impl Reconcile for Packs {
    type Key = Key;
    const NAME: &'static str = "packs";

    async fn reconcile(&self, key: &Key) -> Result<Look, Error> {
        let Some(pack) = self.world.caches.packs.get(key) else {
            return Ok(None);
        };
        let system = self.world.settings.system_namespace.as_str();
        let builtin = key.namespace == system && is_builtin(&pack);
        let same_name = Key::new(system, key.name.clone());
        let shadowed = !builtin
            && self
                .world
                .caches
                .packs
                .get(&same_name)
                .is_some_and(|other| is_builtin(&other));
        let map = PackName::new(key.name.clone())
            .map(|name| names::skill_config_map(&name, builtin, 0))
            .unwrap_or_default();
        let status = decide(&pack, builtin, shadowed, &map, self.world.clock.now());
        if pack.status.as_ref() != Some(&status) {
            let patch = StatusPatch::of(pack.as_ref(), &status);
            let written: SkillPack = self
                .world
                .applier
                .apply_status(&key.namespace, &key.name, &patch)
                .await?;
            self.world.caches.packs.observe(written);
        }
        Ok(None)
    }
}
