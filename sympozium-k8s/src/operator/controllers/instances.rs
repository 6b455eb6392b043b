//! The instance controller: keeps what an instance's runs rely on, and its status.

use super::runs::{StatusPatch, is_builtin};
use super::world::{CaBundle, World};
use crate::crd::v1alpha1::SympoziumInstance;
use crate::objects::instance::{
    Keeper, ca_config_map, gateway_role, memory_config_map, network_policy, service_account,
};
use crate::objects::names;
use crate::operator::error::Error;
use crate::operator::instance::{View, decide};
use crate::operator::queue::{Look, Reconcile};
use crate::operator::watch::Key;
use async_trait::async_trait;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use std::collections::BTreeSet;
use std::sync::Arc;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace};

/// The instance controller.
#[derive(Debug)]
pub(in crate::operator) struct Instances {
    world: Arc<World>,
}

impl Instances {
    pub(in crate::operator) const fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// The objects of an instance. They are written when its spec changes, and when a new leader comes.
    async fn keep(&self, instance: &SympoziumInstance, reference: &InstanceRef) -> Result<(), Error> {
        let version = (
            instance.metadata.uid.clone().unwrap_or_default(),
            instance.metadata.generation.unwrap_or_default(),
        );
        let key = Key::of(instance);
        if self.world.memos.is_kept(&key, &version) {
            return Ok(());
        }
        let keeper = Keeper {
            instance: reference.clone(),
            uid: version.0.clone(),
        };
        let applier = &self.world.applier;
        applier.apply(&service_account(&keeper)).await?;
        if instance.spec.memory.as_ref().is_some_and(|memory| memory.enabled) {
            // Created, never written over: what it remembers is not ours to say.
            applier.create(&memory_config_map(&keeper, "")).await?;
        }
        if let Some(CaBundle { own, cluster }) = &self.world.settings.ca {
            applier.apply(&ca_config_map(&keeper, own, cluster)).await?;
        }
        if let Some(peers) = &self.world.settings.peers {
            applier.apply(&network_policy(&keeper, peers)).await?;
        }
        self.keep_gateway_role(instance, &keeper).await?;
        self.world.memos.kept(&key, version);
        Ok(())
    }

    /// The gateway may read the Secrets that the instance names, and no others.
    async fn keep_gateway_role(&self, instance: &SympoziumInstance, keeper: &Keeper) -> Result<(), Error> {
        let applier = &self.world.applier;
        let secrets: BTreeSet<String> = instance
            .spec
            .auth_refs
            .iter()
            .map(|auth| auth.secret.clone())
            .collect();
        let account = (
            &self.world.installation.namespace,
            self.world.settings.gateway_account.as_str(),
        );
        if let Some(made) = gateway_role(keeper, &secrets, account) {
            applier.apply(&made.role).await?;
            applier.apply(&made.binding).await?;
            return Ok(());
        }
        let (namespace, name) = (keeper.instance.namespace.as_str(), keeper.instance.name.as_str());
        let role = names::gateway_role(name);
        applier.delete::<RoleBinding>(namespace, &role, None).await?;
        applier.delete::<Role>(namespace, &role, None).await
    }

    fn missing_skills(&self, instance: &SympoziumInstance, namespace: &str) -> Vec<String> {
        let system = self.world.settings.system_namespace.as_str();
        let named = instance
            .spec
            .skills
            .iter()
            .filter_map(|skill| skill.skill_pack_ref.as_ref());
        let is_there = |reference: &str| {
            let (name, only_builtin) = reference
                .strip_prefix("system/")
                .map_or((reference, false), |name| (name, true));
            let builtin = self
                .world
                .caches
                .packs
                .get(&Key::new(system, name))
                .is_some_and(|pack| is_builtin(&pack));
            builtin || (!only_builtin && self.world.caches.packs.get(&Key::new(namespace, name)).is_some())
        };
        named
            .filter(|reference| !is_there(reference))
            .map(|reference| format!("SkillPack {reference}"))
            .collect()
    }

    async fn status(
        &self,
        instance: &SympoziumInstance,
        reference: &InstanceRef,
        key: &Key,
    ) -> Result<Look, Error> {
        let has_policy = instance.spec.policy_ref.as_ref().is_none_or(|name| {
            self.world
                .caches
                .policies
                .get(&Key::new(key.namespace.clone(), name.clone()))
                .is_some()
        });
        let begun = self.world.memos.begun(key);
        let now = self.world.clock.now();
        let decision = decide(&View {
            instance,
            has_policy,
            missing_skills: &self.missing_skills(instance, &key.namespace),
            active: self.world.slots().active(reference),
            begun,
            network_enforced: *self.world.network.borrow(),
            counted_at: self.world.memos.counted_at(key),
            now,
        });
        if decision.not_before.is_some() || instance.status.as_ref() == Some(&decision.status) {
            return Ok(decision.not_before);
        }
        let patch = StatusPatch::of(instance, &decision.status);
        let written: SympoziumInstance = self
            .world
            .applier
            .apply_status(&key.namespace, &key.name, &patch)
            .await?;
        self.world.caches.instances.observe(written);
        self.world.memos.written(key, begun, now);
        Ok(None)
    }
}

#[async_trait]
impl Reconcile for Instances {
    type Key = Key;
    const NAME: &'static str = "instances";

    async fn reconcile(&self, key: &Key) -> Result<Look, Error> {
        let Some(instance) = self.world.caches.instances.get(key) else {
            self.world.memos.forget_instance(key);
            return Ok(None);
        };
        if instance.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let bad = |error: &dyn std::fmt::Display| Error::Invalid {
            what: format!("the instance {key}: {error}"),
        };
        let reference = InstanceRef {
            namespace: Namespace::new(key.namespace.clone()).map_err(|error| bad(&error))?,
            name: InstanceName::new(key.name.clone()).map_err(|error| bad(&error))?,
        };
        self.keep(&instance, &reference).await?;
        let look = self.status(&instance, &reference, key).await?;
        self.world.prune_instance(key).await?;
        Ok(look)
    }
}
