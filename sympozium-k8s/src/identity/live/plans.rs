//! From what the watches show to what a run may do now. Pure but for reading caches.

use crate::convert::{self, ConfigMapSkills, PackEntry, PlanInputs};
use crate::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance, SympoziumPolicy};
use k8s_openapi::api::core::v1 as core;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{Policy, PolicyName, PolicyOrigin};
use sympozium_core::run::RunPlan;

/// The label of a namespace that names the policy of the installation which holds there.
const POLICY_LABEL: &str = "sympozium.ai/policy";
/// The label of packs that come with the installation.
const BUILTIN_LABEL: &str = "sympozium.ai/builtin";

/// Caches.
pub(crate) struct Objects {
    pub(crate) instances: Store<SympoziumInstance>,
    pub(crate) policies: Store<SympoziumPolicy>,
    pub(crate) packs: Store<SkillPack>,
    pub(crate) namespaces: Store<PartialObjectMeta<core::Namespace>>,
}

/// Where what belongs to the installation is.
#[derive(Debug, Clone)]
pub(crate) struct System {
    pub(crate) namespace: String,
    pub(crate) policy: String,
}

impl Objects {
    /// The plan of a run, or why there is none, as a sentence.
    pub(crate) fn plan(&self, run: &AgentRun, uid: RunUid, system: &System) -> Result<RunPlan, String> {
        let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
        let name = &run.spec.instance_ref;
        let instance = self
            .instances
            .get(&ObjectRef::new(name).within(namespace))
            .ok_or_else(|| format!("There is no SympoziumInstance {name}."))?;
        let policies = self.policies(namespace, &instance, system)?;
        let packs = self.packs(namespace, &system.namespace);
        let entries: Vec<_> = packs
            .iter()
            .map(|(pack, builtin)| PackEntry {
                pack,
                builtin: *builtin,
            })
            .collect();
        let config_maps = placeholders(run, &instance);
        let namespace = Namespace::new(namespace).map_err(|error| format!("{error}."))?;
        convert::plan(&PlanInputs {
            run,
            uid,
            namespace: &namespace,
            instance: &instance,
            policies: &policies,
            packs: &entries,
            config_maps: &config_maps,
            // What a key is for is looked at when it is used.
            secrets: None,
        })
        .map_err(|invalid| format!("{invalid}."))
    }

    /// The policies that hold, install-wide first. One that is named and not there refuses: nothing may be allowed by
    /// losing a policy.
    fn policies(
        &self,
        namespace: &str,
        instance: &SympoziumInstance,
        system: &System,
    ) -> Result<Vec<Policy>, String> {
        let labelled = self.namespaces.get(&ObjectRef::new(namespace));
        let labelled = labelled.ok_or_else(|| format!("The namespace {namespace} is not known."))?;
        let label = labelled
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(POLICY_LABEL));
        let own = instance.spec.policy_ref.as_ref().filter(|name| !name.is_empty());
        let install = (
            PolicyOrigin::InstallWide,
            system.namespace.as_str(),
            &system.policy,
        );
        let by_label = label.map(|name| (PolicyOrigin::Namespace, system.namespace.as_str(), name));
        let by_instance = own.map(|name| (PolicyOrigin::Instance, namespace, name));
        std::iter::once(install)
            .chain(by_label)
            .chain(by_instance)
            .map(|(origin, place, name)| {
                let found = self.policies.get(&ObjectRef::new(name).within(place));
                let found = found.ok_or_else(|| format!("There is no SympoziumPolicy {place}/{name}."))?;
                convert::policy(&found.spec, PolicyName(format!("{place}/{name}")), origin)
                    .map(|reading| reading.policy)
                    .map_err(|invalid| format!("{invalid}."))
            })
            .collect()
    }

    /// The packs that a run of this namespace may name, and whether they are built in.
    fn packs(&self, namespace: &str, system: &str) -> Vec<(Arc<SkillPack>, bool)> {
        let all = self.packs.state();
        let known = all.into_iter().filter_map(|pack| {
            let place = pack.metadata.namespace.as_deref()?;
            let labels = pack.metadata.labels.as_ref();
            let builtin = place == system
                && labels
                    .is_some_and(|labels| labels.get(BUILTIN_LABEL).is_some_and(|value| value == "true"));
            let usable = builtin || place == namespace;
            usable.then_some((pack, builtin))
        });
        known.collect()
    }
}

/// The ConfigMaps that a run names as skills, without what is in them: those are documents, mounted into the pod, and
/// nothing that the gateway decides about.
fn placeholders(run: &AgentRun, instance: &SympoziumInstance) -> Vec<ConfigMapSkills> {
    let references = run.spec.skills.as_ref().unwrap_or(&instance.spec.skills);
    let named = references
        .iter()
        .filter_map(|reference| reference.config_map_ref.as_ref());
    named
        .map(|name| ConfigMapSkills {
            name: name.clone(),
            data: BTreeMap::from([("skill.md".to_owned(), String::new())]),
        })
        .collect()
}
