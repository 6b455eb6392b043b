//! Installing, which is also upgrading.

use super::client::ask;
use super::{Installer, Waiting};
use crate::install::InstallOptions;
use crate::install::error::InstallError;
use crate::install::generated::{SECRETS, SecretData, generated, restart_with_certificates};
use crate::install::inventory::Inventory;
use crate::install::manifest::{Manifest, Tenure};
use crate::install::manifests::manifests;
use crate::install::names::{MANAGED_BY, SYMPOZIUM};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::ResourceExt;
use secrecy::SecretString;
use std::collections::BTreeMap;

impl Installer {
    /// Makes the cluster have what the options say: applies everything, removes what an earlier version had and this one has
    /// not, and waits. Keys, passwords and the user's own objects are kept.
    ///
    /// `database_url` goes into the installation's own Secret, where the options say that the address is there.
    pub async fn install(
        &self,
        options: &InstallOptions,
        database_url: Option<&SecretString>,
        now: Timestamp,
        waiting: Waiting,
    ) -> Result<(), InstallError> {
        options.check().map_err(InstallError::Options)?;
        let mut wanted = manifests(options).map_err(InstallError::Manifest)?;
        if !self.namespace_is_ours(options).await? {
            self.tell(&format!(
                "Namespace {} was there before and stays as it is",
                options.namespace
            ));
            wanted.retain(|manifest| manifest.resource.kind != "Namespace");
        }
        let foundation = |manifest: &&Manifest| manifest.tenure == Tenure::Foundation;
        for manifest in wanted.iter().filter(foundation) {
            self.put(manifest).await?;
        }
        self.kinds_are_served(&wanted).await?;
        let earlier = self.inventory(&options.namespace).await?.unwrap_or_default();
        let made = self.made(options, database_url, now).await?;
        restart_with_certificates(&mut wanted, &made);
        let all: Vec<_> = made.iter().chain(&wanted).collect();
        let inventory = Inventory::of(&options.version, in_order(&all));
        // Written before the objects: what breaks off can still be removed.
        self.write(&inventory.with(&earlier), options).await?;
        for manifest in made
            .iter()
            .chain(wanted.iter().filter(|manifest| !foundation(manifest)))
        {
            self.put(manifest).await?;
        }
        for entry in inventory.no_longer_wanted(&earlier) {
            self.tell(&format!("{} {} is no longer wanted", entry.kind, entry.name));
            self.delete(entry).await?;
        }
        self.write(&inventory, options).await?;
        match waiting {
            Waiting::AtMost(limit) => self.rolled_out(&wanted, limit).await,
            Waiting::No => Ok(()),
        }
    }

    async fn write(&self, inventory: &Inventory, options: &InstallOptions) -> Result<(), InstallError> {
        let manifest = inventory.write(options).map_err(InstallError::Manifest)?;
        self.apply(&manifest).await.map(drop)
    }

    /// Applies an object, or, if it is the user's from its first day on, makes it unless it is there.
    async fn put(&self, manifest: &Manifest) -> Result<(), InstallError> {
        if manifest.tenure == Tenure::Once {
            let there = self
                .get(&manifest.resource, manifest.namespace(), manifest.name())
                .await?;
            if there.is_some() {
                return Ok(());
            }
        }
        self.tell(&manifest.to_string());
        self.apply(manifest).await.map(drop)
    }

    /// A namespace that somebody else made is not ours to label, nor to delete.
    async fn namespace_is_ours(&self, options: &InstallOptions) -> Result<bool, InstallError> {
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        let subject = format!("Namespace {}", options.namespace);
        let there = ask("read", subject, namespaces.get_opt(&options.namespace)).await?;
        Ok(there.is_none_or(|there| {
            there
                .labels()
                .get(MANAGED_BY)
                .is_some_and(|value| value == SYMPOZIUM)
        }))
    }

    /// What is made once: read, completed, and not applied yet.
    async fn made(
        &self,
        options: &InstallOptions,
        database_url: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<Vec<Manifest>, InstallError> {
        let mut there = BTreeMap::new();
        for name in SECRETS {
            if let Some(data) = self.secret(&options.namespace, name).await? {
                there.insert(name.to_owned(), data);
            }
        }
        generated(options, &there, database_url, now).map_err(InstallError::Generate)
    }

    pub(super) async fn secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<SecretData>, InstallError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = ask("read", format!("Secret {name}"), secrets.get_opt(name)).await?;
        let text = |(key, bytes): (String, k8s_openapi::ByteString)| {
            // Everything that we keep in Secrets is text; anything else is as good as absent.
            let text = String::from_utf8(bytes.0).ok()?;
            Some((key, SecretString::from(text)))
        };
        Ok(secret.map(|secret| {
            secret
                .data
                .unwrap_or_default()
                .into_iter()
                .filter_map(text)
                .collect()
        }))
    }
}

/// Foundations first: what is removed last.
fn in_order<'a>(all: &[&'a Manifest]) -> Vec<&'a Manifest> {
    let is_kind = |manifest: &&&Manifest| {
        matches!(
            manifest.resource.kind.as_str(),
            "Namespace" | "CustomResourceDefinition"
        )
    };
    let first = all.iter().filter(is_kind);
    first
        .chain(all.iter().filter(|manifest| !is_kind(manifest)))
        .copied()
        .collect()
}
