//! Does what was decided for a run, in order. Each step can be repeated.

use super::gate::{Gated, Make};
use super::{Made, Named, Runs};
use crate::crd::v1alpha1::{SkillGrant, SympoziumInstance};
use crate::objects::{names, skills};
use crate::operator::controllers::memory;
use crate::operator::controllers::memos::Tried;
use crate::operator::error::Error;
use crate::operator::run::{RunDecision, RunEffect, RunView, Stop};
use crate::operator::watch::Key;
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use sympozium_core::error::{Classify, chain};
use sympozium_core::ids::{PackName, RunUid};
use sympozium_core::run::RunPlan;

/// How long saving what a run wants to remember may fail before it is given up.
const SAVE_PATIENCE: SignedDuration = SignedDuration::from_mins(2);

impl Runs {
    /// Carries out the effects. Returns what was made, if the run was made now.
    pub(super) async fn execute(
        &self,
        view: &RunView<'_>,
        decision: &RunDecision,
        gated: Option<&Gated>,
        named: &Named,
    ) -> Result<Option<Made>, Error> {
        let mut made = None;
        for effect in &decision.effects {
            match effect {
                RunEffect::Create => made = self.create(view, gated, named).await?,
                RunEffect::Stop(stop) => self.stop(stop, named).await?,
                RunEffect::Revoke => self.take_rights(named.run.uid, view.grants).await?,
                RunEffect::Remember(update) => self.remember(update, named).await?,
            }
        }
        Ok(made)
    }

    async fn create(
        &self,
        view: &RunView<'_>,
        gated: Option<&Gated>,
        named: &Named,
    ) -> Result<Option<Made>, Error> {
        let Some(plans) = gated.and_then(|gated| gated.make.as_ref()) else {
            return Ok(None);
        };
        let begun_with = memory::read(self.world.memories.as_ref(), &plans.plan, &named.instance).await?;
        let made = Made {
            grants: plans.objects.grants.clone(),
            note: note(&plans.objects.dropped),
        };
        // Before the first write: what is answered to it may be lost.
        self.world.memos.with(&named.uid(), |memo| {
            memo.tried = Some(Tried {
                own_account: plans.objects.service_account.is_some(),
            });
            memo.grants.clone_from(&made.grants);
        });
        self.apply(plans, named).await?;
        let now = self.world.clock.now();
        let created = view.run.metadata.creation_timestamp.as_ref();
        let waited = now.duration_since(created.map_or(now, |time| time.0));
        metrics::histogram!("sympozium_operator_run_start_seconds").record(waited.as_secs_f64().max(0.0));
        self.world.memos.with(&named.uid(), |memo| {
            memo.made_at = Some(now);
            memo.note.clone_from(&made.note);
            memo.memory = begun_with;
        });
        let instance = Key::new(named.key.namespace.clone(), named.instance.name.as_str());
        self.world.memos.count_begun(&instance);
        Ok(Some(made))
    }

    /// The Job comes last: it is what makes the run begin.
    async fn apply(&self, make: &Make, named: &Named) -> Result<(), Error> {
        let objects = &make.objects;
        let applier = &self.world.applier;
        self.mirror_skills(&make.plan, &make.instance, named).await?;
        for map in &objects.config_maps {
            self.written(named, applier.apply(map).await)?;
        }
        if let Some(account) = &objects.service_account {
            self.written(named, applier.apply(account).await)?;
        }
        for role in &objects.roles {
            self.written(named, applier.apply(role).await)?;
        }
        for binding in &objects.role_bindings {
            self.written(named, applier.apply(binding).await)?;
        }
        for role in &objects.cluster_roles {
            self.written(named, applier.apply_cluster(role).await)?;
        }
        for binding in &objects.cluster_role_bindings {
            self.written(named, applier.apply_cluster(binding).await)?;
        }
        self.written(named, applier.apply(&objects.job).await)?;
        Ok(())
    }

    /// The documents of skills, where the run is. They are written once for all runs, as long as they stay the same.
    async fn mirror_skills(
        &self,
        plan: &RunPlan,
        instance: &SympoziumInstance,
        named: &Named,
    ) -> Result<(), Error> {
        let owners = self.users(&named.key.namespace);
        let of_config_map = |pack: &PackName| {
            let of_instance = &instance.spec.skills;
            of_instance
                .iter()
                .any(|reference| reference.config_map_ref.as_deref() == Some(pack.as_str()))
        };
        for skill in plan.skills.iter().filter(|skill| !of_config_map(&skill.pack)) {
            for map in skills::config_maps(skill, &named.run.namespace, &owners) {
                if self.world.memos.mirrors(&map) {
                    continue;
                }
                self.written(named, self.world.applier.apply(&map).await)?;
                self.world.memos.mirrored(&map);
            }
        }
        Ok(())
    }

    /// All instances of a namespace: a skill's documents stay there while any of them is.
    fn users(&self, namespace: &str) -> Vec<OwnerReference> {
        let of_namespace =
            |instance: &SympoziumInstance| instance.metadata.namespace.as_deref() == Some(namespace);
        let mut users = self.world.caches.instances.filter(of_namespace);
        users.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        users
            .iter()
            .filter_map(|instance| instance.controller_owner_ref(&()))
            .collect()
    }

    async fn stop(&self, stop: &Stop, named: &Named) -> Result<(), Error> {
        let (namespace, name) = (named.key.namespace.as_str(), named.key.name.as_str());
        let applier = &self.world.applier;
        match stop {
            Stop::Pod { name, uid } => applier.delete::<Pod>(namespace, name, Some(uid)).await?,
            Stop::Job => {
                let job: Option<Job> = applier.get(namespace, name).await?;
                let uid = named.uid();
                let ours = job.filter(|job| {
                    job.meta()
                        .owner_references
                        .iter()
                        .flatten()
                        .any(|owner| owner.uid == uid)
                });
                if let Some(job) = ours {
                    applier
                        .delete::<Job>(namespace, name, job.metadata.uid.as_deref())
                        .await?;
                }
                self.world.memos.with(&named.uid(), |memo| memo.confirm = true);
            }
        }
        Ok(())
    }

    /// Takes rights away. Their names follow from run and pack, so that nothing has to be looked for.
    pub(super) async fn take_rights(&self, run: RunUid, grants: &[SkillGrant]) -> Result<(), Error> {
        let applier = &self.world.applier;
        for grant in grants {
            let Ok(pack) = PackName::new(grant.skill.trim_start_matches("system/")) else {
                continue;
            };
            let name = names::skill_role(&pack, run);
            if let Some(namespace) = &grant.namespace {
                applier.delete::<RoleBinding>(namespace, &name, None).await?;
                applier.delete::<Role>(namespace, &name, None).await?;
            } else {
                applier.delete_cluster::<ClusterRoleBinding>(&name).await?;
                applier.delete_cluster::<ClusterRole>(&name).await?;
            }
        }
        Ok(())
    }

    async fn remember(&self, update: &str, named: &Named) -> Result<(), Error> {
        let base = self.world.memos.with(&named.uid(), |memo| memo.memory.clone());
        let key = Key::new(named.key.namespace.clone(), named.instance.name.as_str());
        let instance = self.world.caches.instances.get(&key);
        let memory = instance
            .as_ref()
            .and_then(|instance| instance.spec.memory.as_ref());
        let Some(memory) = memory.filter(|memory| memory.enabled) else {
            return Ok(());
        };
        let most = usize::try_from(memory.max_size_kb)
            .unwrap_or(usize::MAX)
            .saturating_mul(1024);
        let base = base.unwrap_or_default();
        let memories = self.world.memories.as_ref();
        let Err(error) = memory::remember(memories, &named.instance, &base, update, most).await else {
            return Ok(());
        };
        // A memory that can't be saved must not keep a run from its end.
        let now = self.world.clock.now();
        let since = self
            .world
            .memos
            .with(&named.uid(), |memo| *memo.unsaved_since.get_or_insert(now));
        if error.retry().is_worthwhile() && now.duration_since(since) < SAVE_PATIENCE {
            return Err(error);
        }
        metrics::counter!("sympozium_operator_memories_lost_total").increment(1);
        tracing::warn!(run = %named.key, error = chain(&error), "what a run wants to remember is lost");
        Ok(())
    }

    /// Counts a write on behalf of a run.
    pub(super) fn written<T>(&self, named: &Named, result: Result<T, Error>) -> Result<T, Error> {
        self.world
            .memos
            .with(&named.uid(), |memo| memo.writes = memo.writes.saturating_add(1));
        result
    }
}

/// What was left out of the rights of its skills, if anything.
fn note(dropped: &[crate::objects::rbac::DroppedRule]) -> Option<String> {
    let all: Vec<_> = dropped.iter().map(ToString::to_string).collect();
    (!all.is_empty()).then(|| {
        format!(
            "The run has a slot. Rights that its skills do not get: {}",
            all.join("; ")
        )
    })
}
