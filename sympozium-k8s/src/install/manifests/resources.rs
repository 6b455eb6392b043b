//! What comes as custom resources: the policy that holds everywhere, and the built-in packs.

use super::metadata;
use crate::crd::v1alpha1::{SympoziumPolicy, SympoziumPolicySpec};
use crate::install::InstallOptions;
use crate::install::manifest::{Manifest, ManifestError, Tenure};
use crate::install::names::{self, DEFAULT_POLICY};
use crate::install::packs;

/// Policy first: without one that can be read every run is refused.
pub(super) fn resources(options: &InstallOptions) -> Result<Vec<Manifest>, ManifestError> {
    let mut all = vec![Manifest::new(&policy(options))?.with(Tenure::Once)];
    for mut pack in packs::all(options) {
        let name = pack.metadata.name.clone().unwrap_or_default();
        pack.metadata = metadata(options, &name, "sympozium-skills");
        let labels = pack.metadata.labels.get_or_insert_default();
        labels.insert(names::BUILTIN.to_owned(), "true".to_owned());
        all.push(Manifest::new(&pack)?);
    }
    Ok(all)
}

/// It restricts nothing, and is there to be edited: the least that holds for every run of the cluster.
fn policy(options: &InstallOptions) -> SympoziumPolicy {
    let mut policy = SympoziumPolicy::new(DEFAULT_POLICY, SympoziumPolicySpec::default());
    policy.metadata = metadata(options, DEFAULT_POLICY, "sympozium-policy");
    policy
}
