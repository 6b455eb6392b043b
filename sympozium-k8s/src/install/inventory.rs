//! What is installed: written down in the cluster, so that exactly that can be removed. Pure.

use super::InstallOptions;
use super::manifest::{Manifest, ManifestError, Tenure};
use super::names::{self, INVENTORY};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const VERSION_KEY: &str = "version";
const OBJECTS_KEY: &str = "objects.json";

/// One object that was installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `group/version`, or the version alone.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its kind in addresses.
    pub plural: String,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// It stays until the user's data is deleted.
    #[serde(default)]
    pub stays: bool,
}

impl Entry {
    /// That of an object.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            api_version: manifest.resource.api_version.clone(),
            kind: manifest.resource.kind.clone(),
            plural: manifest.resource.plural.clone(),
            namespace: manifest.namespace().map(str::to_owned),
            name: manifest.name().to_owned(),
            stays: manifest.tenure != Tenure::Installed,
        }
    }

    /// Its kind, for a client.
    pub fn resource(&self) -> ApiResource {
        let (group, version) = self
            .api_version
            .split_once('/')
            .unwrap_or(("", &self.api_version));
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }

    /// What tells objects apart; another version of a kind is the same object.
    fn identity(&self) -> (String, &str, Option<&str>, &str) {
        let resource = self.resource();
        (resource.group, &self.kind, self.namespace.as_deref(), &self.name)
    }
}

/// What is installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The version.
    pub version: String,
    /// The objects, in the order in which they were applied.
    pub objects: Vec<Entry>,
}

/// An inventory that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("read the list of what is installed in ConfigMap {INVENTORY}")]
pub struct InventoryError(#[source] serde_json::Error);

impl Inventory {
    /// That of these objects.
    pub fn of<'a>(version: &str, manifests: impl IntoIterator<Item = &'a Manifest>) -> Self {
        Self {
            version: version.to_owned(),
            objects: manifests.into_iter().map(Entry::of).collect(),
        }
    }

    /// Reads a ConfigMap. One without a list is that of an installation that had not begun.
    pub fn read(map: &ConfigMap) -> Result<Self, InventoryError> {
        let text = |key: &str| map.data.as_ref().and_then(|data| data.get(key));
        Ok(Self {
            version: text(VERSION_KEY).cloned().unwrap_or_default(),
            objects: text(OBJECTS_KEY)
                .map(|json| serde_json::from_str(json))
                .transpose()
                .map_err(InventoryError)?
                .unwrap_or_default(),
        })
    }

    /// As an object of the installation's namespace.
    pub fn write(&self, options: &InstallOptions) -> Result<Manifest, ManifestError> {
        let objects: Vec<_> = self
            .objects
            .iter()
            .filter_map(|entry| serde_json::to_string(entry).ok())
            .collect();
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(INVENTORY.to_owned()),
                namespace: Some(options.namespace.clone()),
                labels: Some(names::labels(INVENTORY, &options.version)),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([
                (VERSION_KEY.to_owned(), self.version.clone()),
                // One object on each line, for people who look.
                (OBJECTS_KEY.to_owned(), format!("[\n{}\n]", objects.join(",\n"))),
            ])),
            ..ConfigMap::default()
        };
        Ok(Manifest::new(&map)?.with(Tenure::Foundation))
    }

    /// What an earlier installation has and this one has not, the last one first. What stays is not among it: it hangs on
    /// the user's data.
    pub fn no_longer_wanted<'a>(&self, earlier: &'a Self) -> Vec<&'a Entry> {
        let wanted: BTreeSet<_> = self.objects.iter().map(Entry::identity).collect();
        earlier
            .objects
            .iter()
            .rev()
            .filter(|entry| !entry.stays && !wanted.contains(&entry.identity()))
            .collect()
    }

    /// All of both, for the time in which one becomes the other.
    #[must_use]
    pub fn with(&self, earlier: &Self) -> Self {
        let mine: BTreeSet<_> = self.objects.iter().map(Entry::identity).collect();
        let theirs = earlier
            .objects
            .iter()
            .filter(|entry| !mine.contains(&entry.identity()));
        Self {
            version: self.version.clone(),
            objects: theirs.chain(&self.objects).cloned().collect(),
        }
    }
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
