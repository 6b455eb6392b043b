//! What a new leader does first: finds out who has slots, and removes what dead runs left.

use super::memos::Ending;
use super::world::World;
use crate::crd::v1alpha1::{AgentRun, RbacRuleSpec, SkillGrant};
use crate::objects::names;
use crate::operator::error::Error;
use crate::operator::run::was_made;
use crate::operator::slots::Claim;
use crate::operator::watch::Key;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Resource};
use std::collections::BTreeSet;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use sympozium_core::run::RunPhase;

/// How many objects a page of a list has.
const PAGE: u32 = 500;

/// Gives slots to all runs that have begun, and places in the queue to all others. The Jobs are listed from the API
/// server: a run may have one without its status saying so.
pub(in crate::operator) async fn rebuild(world: &World) -> Result<(), Error> {
    let selector = format!("{}={}", names::COMPONENT, names::Component::AgentRun.as_str());
    let jobs = list::<Job>(world, "jobs", &selector).await?;
    let with_job: BTreeSet<String> = jobs.iter().filter_map(|job| label(job, names::RUN_UID)).collect();
    let now = world.clock.now();
    let mut slots = world.slots();
    for run in world.caches.runs.all() {
        let uid = run.metadata.uid.clone().unwrap_or_default();
        let has_job = with_job.contains(&uid);
        if has_job {
            world.memos.with(&uid, |memo| {
                memo.made_at.get_or_insert(now);
                // It may be gone by the time of the first look.
                memo.confirm = true;
            });
        }
        let Some(claim) = claim(&run, now).filter(|_| run.spec.parent.is_none()) else {
            continue;
        };
        if has_job || was_made(&run) {
            slots.hold(&claim);
        } else {
            slots.enqueue(&claim);
        }
    }
    drop(slots);
    // Children are counted by age, so that all are known before any of them is looked at.
    for run in world.caches.runs.all() {
        if let (Some(parent), Some(uid)) = (&run.spec.parent, &run.metadata.uid) {
            let parent = Key::new(
                run.metadata.namespace.clone().unwrap_or_default(),
                parent.run_name.clone(),
            );
            let created = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
            world
                .memos
                .older_siblings(&parent, created.unwrap_or_default(), uid);
        }
    }
    Ok(())
}

fn claim(run: &AgentRun, now: Timestamp) -> Option<Claim> {
    let uid: RunUid = run.metadata.uid.as_deref()?.parse().ok()?;
    Some(Claim {
        run: uid,
        instance: InstanceRef {
            namespace: Namespace::new(run.metadata.namespace.clone()?).ok()?,
            name: InstanceName::new(run.spec.instance_ref.clone()).ok()?,
        },
        created: run
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or(now, |time| time.0),
    })
}

/// Removes rights and identities of runs that are no more, and sees to pods whose run has ended: their operator died before
/// it could.
pub(in crate::operator) async fn sweep(world: &World) -> Result<(), Error> {
    let selector = format!(
        "{}={},{}={}",
        names::MANAGED_BY,
        names::SYMPOZIUM,
        names::COMPONENT,
        names::Component::AgentRun.as_str()
    );
    let applier = &world.applier;
    note_rights(world, &selector).await?;
    for binding in dead::<RoleBinding>(world, "rolebindings", &selector).await? {
        applier
            .delete::<RoleBinding>(&binding.object.namespace, &binding.object.name, None)
            .await?;
    }
    for role in dead::<Role>(world, "roles", &selector).await? {
        applier
            .delete::<Role>(&role.object.namespace, &role.object.name, None)
            .await?;
    }
    for binding in dead::<ClusterRoleBinding>(world, "clusterrolebindings", &selector).await? {
        applier
            .delete_cluster::<ClusterRoleBinding>(&binding.object.name)
            .await?;
    }
    for role in dead::<ClusterRole>(world, "clusterroles", &selector).await? {
        applier.delete_cluster::<ClusterRole>(&role.object.name).await?;
    }
    for (run, pod) in world.caches.pods.all() {
        if !pod.ended && world.caches.runs.key_of(&pod.run_uid).is_none() {
            leave(world, &run, &pod.run_uid, None);
        }
    }
    for account in dead::<ServiceAccount>(world, "serviceaccounts", &selector).await? {
        // A bridge may still drain, and needs its identity.
        leave(
            world,
            &account.run,
            &account.uid,
            Some(account.object.name.clone()),
        );
    }
    Ok(())
}

/// Rights and identities that a live run was given before anybody wrote so: they are to be taken away with its end.
async fn note_rights(world: &World, selector: &str) -> Result<(), Error> {
    for role in list::<Role>(world, "roles", selector).await? {
        let (Some(uid), Some(skill)) = (label(&role, names::RUN_UID), label(&role, names::SKILL)) else {
            continue;
        };
        let key = Key::of(&role);
        if !is_unwritten(world, &uid) {
            continue;
        }
        let Some(role) = world.applier.get::<Role>(&key.namespace, &key.name).await? else {
            continue;
        };
        note(world, &uid, skill, Some(key.namespace), role.rules);
    }
    for account in list::<ServiceAccount>(world, "serviceaccounts", selector).await? {
        let uid = label(&account, names::RUN_UID).filter(|uid| world.caches.runs.key_of(uid).is_some());
        if let Some(uid) = uid {
            world.memos.with(&uid, |memo| {
                memo.tried.get_or_insert_default().own_account = true;
            });
        }
    }
    for role in list::<ClusterRole>(world, "clusterroles", selector).await? {
        let (Some(uid), Some(skill)) = (label(&role, names::RUN_UID), label(&role, names::SKILL)) else {
            continue;
        };
        if is_unwritten(world, &uid) {
            note(world, &uid, skill, None, None);
        }
    }
    Ok(())
}

/// Whether a run is live and its status says nothing of rights.
fn is_unwritten(world: &World, uid: &str) -> bool {
    let run = world
        .caches
        .runs
        .key_of(uid)
        .and_then(|key| world.caches.runs.get(&key));
    run.is_some_and(|run| run.status.as_ref().is_none_or(|status| status.grants.is_empty()))
}

fn note(world: &World, uid: &str, skill: String, namespace: Option<String>, rules: Option<Vec<PolicyRule>>) {
    let rules = rules.into_iter().flatten().map(|rule| RbacRuleSpec {
        api_groups: rule.api_groups.unwrap_or_default(),
        resources: rule.resources.unwrap_or_default(),
        verbs: rule.verbs,
    });
    let grant = SkillGrant {
        skill,
        namespace,
        rules: rules.collect(),
    };
    world.memos.with(uid, |memo| {
        memo.tried.get_or_insert_default();
        if !memo.grants.contains(&grant) {
            memo.grants.push(grant);
        }
    });
}

/// What is left of a run that has ended is seen to like that of any other.
fn leave(world: &World, run: &Key, uid: &str, service_account: Option<String>) {
    let ending = Ending {
        uid: uid.to_owned(),
        at: world.clock.now(),
        service_account,
        pod_may_come: false,
        event: None,
    };
    world.memos.end(run, ending);
    world.queues.runs.push(run.clone());
}

/// An object of a run that is no more.
struct Dead {
    object: Key,
    run: Key,
    uid: String,
}

/// The objects of runs that are no more. That a run is not in the cache is no evidence: it is asked for.
async fn dead<K>(world: &World, resource: &'static str, selector: &str) -> Result<Vec<Dead>, Error>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let mut dead = Vec::new();
    for object in list::<K>(world, resource, selector).await? {
        let Some(uid) = label(&object, names::RUN_UID) else {
            continue;
        };
        if world.caches.runs.key_of(&uid).is_some() {
            continue;
        }
        let own = object.metadata.namespace.clone().unwrap_or_default();
        let namespace = label(&object, names::RUN_NAMESPACE).unwrap_or(own);
        let run = Key::new(namespace, label(&object, names::RUN).unwrap_or_default());
        if run.name.is_empty() {
            continue;
        }
        let there: Option<AgentRun> = world.applier.get(&run.namespace, &run.name).await?;
        let alive = there.is_some_and(|there| {
            let phase = there.status.as_ref().and_then(|status| status.phase);
            there.metadata.uid.as_deref() == Some(&uid) && !phase.is_some_and(RunPhase::is_terminal)
        });
        if !alive {
            dead.push(Dead {
                object: Key::of(&object),
                run,
                uid,
            });
        }
    }
    Ok(dead)
}

fn label<K: Resource>(object: &K, name: &str) -> Option<String> {
    object.meta().labels.as_ref()?.get(name).cloned()
}

/// All objects of a kind with these labels, their metadata only, page by page.
pub(super) async fn list<K>(
    world: &World,
    resource: &'static str,
    selector: &str,
) -> Result<Vec<PartialObjectMeta<K>>, Error>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::all(world.applier.client().clone());
    let mut params = ListParams::default().labels(selector).limit(PAGE);
    let mut all = Vec::new();
    loop {
        let page = world
            .applier
            .ask("list", "", "", resource, api.list_metadata(&params))
            .await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}
