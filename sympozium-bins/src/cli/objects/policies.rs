//! Which policies hold for a run. Pure.
//!
//! Nothing is passed over in silence: every SympoziumPolicy that a person gives holds. One that an instance of the files
//! names in `policyRef` holds for that instance's runs, every other one for all runs, as if it were install-wide.

use super::super::failure::Failure;
use super::set::{Given, Objects, in_namespace, name_of};
use std::path::Path;
use sympozium_core::policy::{Policy, PolicyName, PolicyOrigin};
use sympozium_k8s::convert::{self, Note};
use sympozium_k8s::crd::v1alpha1::{SympoziumInstance, SympoziumPolicy};

/// The policies of a run.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Holding {
    /// Install-wide first. Never empty.
    pub(in crate::cli) policies: Vec<Policy>,
    /// What in them changes nothing, by policy.
    pub(in crate::cli) notes: Vec<(PolicyName, Note)>,
    /// Nobody gave a policy, and the built-in one holds.
    pub(in crate::cli) is_default: bool,
}

/// All policies that were given: those of `--policy` in their order, then those of `-f`.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct PolicySet<'a> {
    /// Those of `--policy`.
    pub(in crate::cli) flags: &'a [Given<SympoziumPolicy>],
    /// Those of `-f`, and who names them.
    pub(in crate::cli) files: &'a Objects,
}

impl PolicySet<'_> {
    /// The policies that hold for the runs of an instance.
    pub(in crate::cli) fn of(
        &self,
        instance: &SympoziumInstance,
        namespace: &str,
    ) -> Result<Holding, Failure> {
        let own = self.of_instance(instance, namespace)?;
        let shared = self.files.policies.iter().filter(|given| !self.is_named(given));
        let mut holding = Holding {
            policies: Vec::new(),
            notes: Vec::new(),
            is_default: false,
        };
        for given in self.flags.iter().chain(shared) {
            holding.add(given, PolicyOrigin::InstallWide)?;
        }
        // One that a flag gives holds for everybody already.
        if let Some(given) = own.filter(|own| !self.flags.iter().any(|flag| std::ptr::eq(flag, *own))) {
            holding.add(given, PolicyOrigin::Instance)?;
        }
        if holding.policies.is_empty() {
            holding.policies.push(Policy::local_default());
            holding.is_default = true;
        }
        Ok(holding)
    }

    /// The one that `policyRef` names. One that can't be read refuses.
    fn of_instance(
        &self,
        instance: &SympoziumInstance,
        namespace: &str,
    ) -> Result<Option<&Given<SympoziumPolicy>>, Failure> {
        let Some(wanted) = reference(instance) else {
            return Ok(None);
        };
        let found = self.files.policies.iter().chain(self.flags).find(|given| {
            name_of(&given.object.metadata) == wanted && in_namespace(&given.object.metadata, namespace)
        });
        match found {
            Some(given) => Ok(Some(given)),
            None => Err(Failure::input(format!(
                "SympoziumInstance {}: spec.policyRef: there is no SympoziumPolicy {wanted:?} in the files; \
                 without it nothing may run.",
                name_of(&instance.metadata)
            ))),
        }
    }

    fn is_named(&self, given: &Given<SympoziumPolicy>) -> bool {
        let metadata = &given.object.metadata;
        self.files.instances.iter().any(|instance| {
            let instance = &instance.object;
            let same_place = match (&metadata.namespace, &instance.metadata.namespace) {
                (Some(own), Some(theirs)) => own == theirs,
                (None, _) | (_, None) => true,
            };
            same_place && reference(instance) == Some(name_of(metadata))
        })
    }
}

fn reference(instance: &SympoziumInstance) -> Option<&str> {
    instance
        .spec
        .policy_ref
        .as_deref()
        .filter(|name| !name.is_empty())
}

impl Holding {
    fn add(&mut self, given: &Given<SympoziumPolicy>, origin: PolicyOrigin) -> Result<(), Failure> {
        let name = shown(given);
        let reading = convert::policy(&given.object.spec, name.clone(), origin)
            .map_err(|error| Failure::input(format!("{}: {error}.", given.file)))?;
        self.notes
            .extend(reading.notes.into_iter().map(|note| (name.clone(), note)));
        self.policies.push(reading.policy);
        Ok(())
    }
}

/// What verdicts call a policy: its name, and the file in which a person finds it.
fn shown(given: &Given<SympoziumPolicy>) -> PolicyName {
    let file = Path::new(&given.file)
        .file_name()
        .map_or_else(|| given.file.clone(), |name| name.to_string_lossy().into_owned());
    PolicyName(format!("{} ({file})", name_of(&given.object.metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: shared}
spec: {networkPolicy: {allowDNS: true}}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: own}
spec: {}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: strict}
spec: {policyRef: own, agents: {default: {model: m}}}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: plain}
spec: {agents: {default: {model: m}}}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: broken}
spec: {policyRef: gone, agents: {default: {model: m}}}
";

    fn names(set: PolicySet<'_>, index: usize) -> Result<Vec<(String, PolicyOrigin)>, String> {
        let instance = &set.files.instances[index].object;
        let holding = set.of(instance, "local").map_err(|failure| failure.to_string())?;
        Ok(holding
            .policies
            .into_iter()
            .map(|policy| (policy.name.0, policy.origin))
            .collect())
    }

    #[test]
    fn every_given_policy_holds_and_a_named_one_only_for_its_instance() {
        let mut files = Objects::default();
        files.add("dir/a.yaml", FILES).unwrap();
        let mut flags = Objects::default();
        flags
            .add("b.yaml", "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumPolicy\nmetadata: {name: flag}\nspec: {}\n")
            .unwrap();
        let set = PolicySet {
            flags: &flags.policies,
            files: &files,
        };
        let wide = |name: &str| (name.to_owned(), PolicyOrigin::InstallWide);
        let all = [wide("flag (b.yaml)"), wide("shared (a.yaml)")];
        assert_eq!(names(set, 1).unwrap(), all);
        let own = ("own (a.yaml)".to_owned(), PolicyOrigin::Instance);
        assert_eq!(names(set, 0).unwrap(), [&all[..], &[own]].concat());
        assert!(names(set, 2).unwrap_err().contains("no SympoziumPolicy \"gone\""));
        let holding = set.of(&files.instances[1].object, "local").unwrap();
        assert_eq!(holding.notes[0].1.path, "spec.networkPolicy.allowDNS");
    }

    #[test]
    fn without_any_policy_the_built_in_one_holds_by_name() {
        let mut files = Objects::default();
        files
            .add("i.yaml", "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumInstance\nmetadata: {name: i}\nspec: {agents: {default: {model: m}}}\n")
            .unwrap();
        let set = PolicySet {
            flags: &[],
            files: &files,
        };
        let holding = set.of(&files.instances[0].object, "local").unwrap();
        assert!(holding.is_default);
        assert_eq!(holding.policies[0].name.0, "local-default");
    }
}
