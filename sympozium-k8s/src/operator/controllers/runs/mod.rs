//! The run controller: what is observed, asked, done and written for one run.
//!
//! | Step | File | Talks to the cluster |
//! | --- | --- | --- |
//! | what there is of it | `observe` | only when a cache shows nothing |
//! | may it be made, has it a slot | `gate` | only for ConfigMaps that it names |
//! | what comes next | [`decide`](crate::operator::run::decide) | no |
//! | do it | `execute` | yes |
//! | write how it stands | `commit` | yes |
//! | what is left after its end | `ended` | yes |

mod commit;
mod ended;
mod execute;
mod gate;
mod observe;

pub(super) use commit::StatusPatch;
pub(super) use gate::is_builtin;

use super::world::World;
use crate::crd::v1alpha1::AgentRun;
use crate::operator::error::Error;
use crate::operator::queue::{Look, Reconcile};
use crate::operator::run::{Presence, RunView, decide};
use crate::operator::watch::Key;
use async_trait::async_trait;
use jiff::Timestamp;
use observe::Observation;
use std::sync::Arc;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunName, RunUid};
use sympozium_core::run::RunRef;

/// The run controller.
#[derive(Debug)]
pub(in crate::operator) struct Runs {
    world: Arc<World>,
    /// Since when we lead: runs older than this may have been at work for another leader.
    since: Timestamp,
}

/// The names of a run, checked.
#[derive(Debug, Clone)]
struct Named {
    key: Key,
    run: RunRef,
    instance: InstanceRef,
}

impl Named {
    fn of(run: &AgentRun) -> Result<Self, Error> {
        let key = Key::of(run);
        let bad = |error: &dyn std::fmt::Display| Error::Invalid {
            what: format!("the run {key}: {error}"),
        };
        let namespace = Namespace::new(key.namespace.clone()).map_err(|error| bad(&error))?;
        let uid: RunUid = run
            .metadata
            .uid
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(|error| bad(&error))?;
        let name = RunName::new(key.name.clone()).map_err(|error| bad(&error))?;
        let instance = InstanceName::new(run.spec.instance_ref.clone()).map_err(|error| bad(&error))?;
        Ok(Self {
            run: RunRef {
                namespace: namespace.clone(),
                name,
                uid,
            },
            instance: InstanceRef {
                namespace,
                name: instance,
            },
            key,
        })
    }

    fn uid(&self) -> String {
        self.run.uid.to_string()
    }
}

impl Runs {
    pub(in crate::operator) const fn new(world: Arc<World>, since: Timestamp) -> Self {
        Self { world, since }
    }

    async fn live(&self, run: &AgentRun) -> Result<Look, Error> {
        let named = Named::of(run)?;
        let uid = named.uid();
        let committed = self.world.memos.with(&uid, |memo| {
            memo.key = Some(named.key.clone());
            memo.committed
        });
        if committed {
            return Ok(None);
        }
        let observation = self.observe(run, &named).await?;
        let now = self.world.clock.now();
        let gated = self.gate(run, &named, &observation, now).await?;
        let found = self.find(run, &named, &observation, now).await?;
        let (asking, made_at, grants, note) = self.world.memos.with(&uid, |memo| {
            let asking = memo.questions.as_ref().map(|questions| !questions.is_empty());
            (asking, memo.made_at, memo.grants.clone(), memo.note.clone())
        });
        let written = run
            .status
            .as_ref()
            .map(|status| status.grants.as_slice())
            .unwrap_or_default();
        let view = RunView {
            run,
            presence: observation.presence(),
            gate: gated.as_ref().map(|gated| &gated.gate),
            found: found.as_ref(),
            asking,
            job_name: named.run.name.as_str(),
            made_at,
            grants: if grants.is_empty() { written } else { &grants },
            note: note.as_deref(),
            now,
            timing: self.world.settings.timing,
        };
        let mut decision = decide(&view);
        let made = self.execute(&view, &decision, gated.as_ref(), &named).await?;
        if let Some(made) = &made {
            // What was given, and left out, is said in the same status.
            decision = decide(&RunView {
                presence: Presence::Job { failed: false },
                made_at: Some(now),
                grants: &made.grants,
                note: made.note.as_deref(),
                ..view
            });
        }
        self.commit(run, &named, decision).await
    }

    /// Frees what a run held that is not live any more.
    async fn gone(&self, key: &Key) -> Result<Look, Error> {
        self.release_gone(key).await?;
        self.ended(key).await
    }
}

#[async_trait]
impl Reconcile for Runs {
    type Key = Key;
    const NAME: &'static str = "runs";

    async fn reconcile(&self, key: &Key) -> Result<Look, Error> {
        let before = self.ended(key).await?;
        let Some(run) = self.world.caches.runs.get(key) else {
            return self.gone(key).await;
        };
        if run.metadata.deletion_timestamp.is_some() {
            return Ok(before);
        }
        let look = self.live(&run).await?;
        Ok(match (before, look) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        })
    }
}

/// What was made of a run.
#[derive(Debug)]
struct Made {
    grants: Vec<crate::crd::v1alpha1::SkillGrant>,
    note: Option<String>,
}

// Kept here because both halves of a look need it.
impl Observation {
    fn presence(&self) -> Presence<'_> {
        match self {
            Self::Pod(pod) => Presence::Pod(pod),
            Self::Job { failed } => Presence::Job { failed: *failed },
            Self::Nothing => Presence::Nothing,
        }
    }
}
