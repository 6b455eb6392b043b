//! Whether a run may be made, and whether it has a slot.

use super::observe::Observation;
use super::{Named, Runs};
use crate::convert::{ConfigMapSkills, PackEntry};
use crate::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance, SympoziumPolicy};
use crate::objects::{InstanceFacts, RunObjects, RunSurroundings};
use crate::operator::controllers::names;
use crate::operator::error::Error;
use crate::operator::run::{Admission, AdmitInputs, Gate, HoldingPolicy, admit, was_made};
use crate::operator::slots::{Answer, Claim};
use crate::operator::watch::Key;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::policy::{PolicyOrigin, ToolAction};
use sympozium_core::run::{RunPlan, RunnerConfig};

/// The answer of the gate, and what is to be made if it is open.
#[derive(Debug)]
pub(super) struct Gated {
    pub(super) gate: Gate,
    pub(super) make: Option<Box<Make>>,
}

/// What is to be made.
#[derive(Debug)]
pub(super) struct Make {
    pub(super) plan: RunPlan,
    pub(super) instance: Arc<SympoziumInstance>,
    pub(super) objects: RunObjects,
}

impl Gated {
    const fn closed(gate: Gate) -> Self {
        Self { gate, make: None }
    }
}

/// A policy that should hold: how it came to, its namespace and name, and the policy if it is there.
type Holding = (PolicyOrigin, String, String, Option<Arc<SympoziumPolicy>>);

impl Runs {
    /// Asked only of runs of which nothing was made; others keep their slot, if they need one.
    pub(super) async fn gate(
        &self,
        run: &AgentRun,
        named: &Named,
        observation: &Observation,
        now: Timestamp,
    ) -> Result<Option<Gated>, Error> {
        let claim = Claim {
            run: named.run.uid,
            instance: named.instance.clone(),
            created: run
                .metadata
                .creation_timestamp
                .as_ref()
                .map_or(now, |time| time.0),
        };
        let made = was_made(run) || self.world.memos.with(&named.uid(), |memo| memo.made_at.is_some());
        if made || !matches!(observation, Observation::Nothing) {
            if run.spec.parent.is_none() {
                self.world.slots().hold(&claim);
            }
            return Ok(None);
        }
        if run.spec.cancel {
            return Ok(None);
        }
        let (admission, instance) = self.admission(run, named).await?;
        Ok(Some(match (admission, instance) {
            (Admission::Admitted { plan, limit }, Some(instance)) => {
                match self.slot(run, named, &claim, limit, now) {
                    Gate::Open => self.make(run, *plan, instance),
                    closed => Gated::closed(closed),
                }
            }
            (Admission::Refused { reason, message }, _) => Gated::closed(Gate::Refused { reason, message }),
            (Admission::Missing(what), _) => Gated::closed(Gate::Missing(what)),
            // Nothing is admitted without an instance.
            (Admission::Admitted { .. }, None) => return Ok(None),
        }))
    }

    /// The objects of a run that may be made. That there can be none is final, and refuses it.
    fn make(&self, run: &AgentRun, plan: RunPlan, instance: Arc<SympoziumInstance>) -> Gated {
        let facts = InstanceFacts::of(&instance, run).map_err(|error| error.to_string());
        let objects = facts.and_then(|facts| {
            let facts = InstanceFacts {
                approval_wait: approval_wait(&plan),
                ..facts
            };
            let surroundings = RunSurroundings {
                installation: &self.world.installation,
                instance: &facts,
            };
            let objects = self.world.builder.build(&plan, &surroundings);
            objects.map_err(|error| sympozium_core::error::chain(&error))
        });
        match objects {
            Ok(objects) => Gated {
                gate: Gate::Open,
                make: Some(Box::new(Make {
                    plan,
                    instance,
                    objects,
                })),
            },
            Err(message) => Gated::closed(Gate::Refused {
                reason: "Invalid",
                message,
            }),
        }
    }

    fn slot(&self, run: &AgentRun, named: &Named, claim: &Claim, limit: u32, now: Timestamp) -> Gate {
        if let Some(parent) = &run.spec.parent {
            // A spawned run lives in its parent's slot, so that a parent which waits for it can't block it.
            let parent = Key::new(named.key.namespace.clone(), parent.run_name.clone());
            return if self.world.caches.runs.get(&parent).is_some() {
                Gate::Open
            } else {
                Gate::Missing(format!(
                    "There is no run {} under way, which spawned this one",
                    parent.name
                ))
            };
        }
        let mut slots = self.world.slots();
        match slots.ask(claim, limit) {
            Answer::Held => Gate::Open,
            Answer::Waits(position) => Gate::Waits {
                position,
                write: slots.may_write_position(claim.run, position, now),
            },
        }
    }

    async fn admission(
        &self,
        run: &AgentRun,
        named: &Named,
    ) -> Result<(Admission, Option<Arc<SympoziumInstance>>), Error> {
        let namespace = named.key.namespace.as_str();
        let instance = self.instance(namespace, &run.spec.instance_ref).await?;
        let config_maps = self.config_maps(run, instance.as_deref(), namespace).await?;
        let holding = self.policies(namespace, instance.as_deref()).await?;
        let policies: Vec<_> = holding
            .iter()
            .map(|(origin, namespace, name, policy)| HoldingPolicy {
                origin: *origin,
                name: (namespace, name),
                policy: policy.as_deref(),
            })
            .collect();
        let packs = self.packs(namespace);
        let packs: Vec<_> = packs
            .iter()
            .map(|(pack, builtin)| PackEntry {
                pack,
                builtin: *builtin,
            })
            .collect();
        let siblings = run.spec.parent.as_ref().map(|parent| {
            let parent = Key::new(namespace, parent.run_name.clone());
            let created = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
            self.world
                .memos
                .older_siblings(&parent, created.unwrap_or_default(), &named.uid())
        });
        let admission = admit(&AdmitInputs {
            run,
            uid: named.run.uid,
            namespace: &named.run.namespace,
            instance: instance.as_deref(),
            policies: &policies,
            packs: &packs,
            config_maps: &config_maps,
            siblings,
            network_enforced: *self.world.network.borrow(),
        });
        Ok((admission, instance))
    }

    /// From the cache, else from the API server: an instance is often applied together with its first run.
    async fn instance(&self, namespace: &str, name: &str) -> Result<Option<Arc<SympoziumInstance>>, Error> {
        let key = Key::new(namespace, name);
        if let Some(instance) = self.world.caches.instances.get(&key) {
            return Ok(Some(instance));
        }
        let there: Option<SympoziumInstance> = self.world.applier.get(namespace, name).await?;
        Ok(there.map(|instance| self.world.caches.instances.observe(instance)))
    }

    async fn policies(
        &self,
        namespace: &str,
        instance: Option<&SympoziumInstance>,
    ) -> Result<Vec<Holding>, Error> {
        let system = self.world.settings.system_namespace.as_str();
        let mut wanted = vec![(
            PolicyOrigin::InstallWide,
            system,
            self.world.settings.install_policy.clone(),
        )];
        let labels = self.world.caches.namespaces.get(&Key::new("", namespace));
        let label =
            labels.and_then(|namespace| namespace.metadata.labels.as_ref()?.get(names::POLICY).cloned());
        wanted.extend(label.map(|name| (PolicyOrigin::Namespace, system, name)));
        let own = instance.and_then(|instance| instance.spec.policy_ref.clone());
        wanted.extend(own.map(|name| (PolicyOrigin::Instance, namespace, name)));
        let mut holding = Vec::with_capacity(wanted.len());
        for (origin, namespace, name) in wanted {
            let policy = self.policy(namespace, &name).await?;
            // An installation need not have one that holds everywhere; without any policy at all nothing is allowed.
            if policy.is_some() || origin != PolicyOrigin::InstallWide {
                holding.push((origin, namespace.to_owned(), name, policy));
            }
        }
        Ok(holding)
    }

    async fn policy(&self, namespace: &str, name: &str) -> Result<Option<Arc<SympoziumPolicy>>, Error> {
        if let Some(policy) = self.world.caches.policies.get(&Key::new(namespace, name)) {
            return Ok(Some(policy));
        }
        let there: Option<SympoziumPolicy> = self.world.applier.get(namespace, name).await?;
        Ok(there.map(|policy| self.world.caches.policies.observe(policy)))
    }

    /// The packs that runs of a namespace may name: the built-in ones, and the namespace's own.
    fn packs(&self, namespace: &str) -> Vec<(Arc<SkillPack>, bool)> {
        let system = self.world.settings.system_namespace.as_str();
        let mut packs = Vec::new();
        for pack in self.world.caches.packs.all() {
            let of = pack.metadata.namespace.as_deref();
            let builtin = of == Some(system) && is_builtin(&pack);
            if builtin || of == Some(namespace) {
                packs.push((pack, builtin));
            }
        }
        packs
    }

    /// The ConfigMaps that a run names as skills. Only they are read, and only when it is made.
    async fn config_maps(
        &self,
        run: &AgentRun,
        instance: Option<&SympoziumInstance>,
        namespace: &str,
    ) -> Result<Vec<ConfigMapSkills>, Error> {
        let of_instance = instance
            .map(|instance| instance.spec.skills.as_slice())
            .unwrap_or_default();
        let references = run.spec.skills.as_deref().unwrap_or(of_instance);
        let mut found = Vec::new();
        for name in references
            .iter()
            .filter_map(|reference| reference.config_map_ref.as_ref())
        {
            let map: Option<ConfigMap> = self.world.applier.get(namespace, name).await?;
            found.extend(map.map(|map| ConfigMapSkills {
                name: name.clone(),
                data: map.data.unwrap_or_default(),
            }));
        }
        Ok(found)
    }
}

/// The longest that a question may wait for a person; no time where no policy asks.
fn approval_wait(plan: &RunPlan) -> Duration {
    let asks = plan.policies.iter().any(|policy| {
        policy.tools.default_action == ToolAction::Ask
            || policy
                .tools
                .rules
                .iter()
                .any(|rule| rule.action == ToolAction::Ask)
    });
    if asks {
        RunnerConfig::APPROVAL_WAIT
    } else {
        Duration::ZERO
    }
}

/// Whether a pack of the installation's namespace comes with the installation.
pub(in crate::operator::controllers) fn is_builtin(pack: &SkillPack) -> bool {
    let labels = pack.metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get(names::BUILTIN))
        .is_some_and(|value| value == "true")
}
