//! Taking an installation out again.

use super::{Data, Installer};
use crate::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance, SympoziumPolicy, SympoziumSchedule};
use crate::install::InstallOptions;
use crate::install::error::InstallError;
use crate::install::inventory::{Entry, Inventory};
use crate::install::names::{INVENTORY, MANAGED_BY, SYMPOZIUM};
use crate::objects::names::RUN_UID;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long deleted objects may take to go.
const GONE: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(200);

impl Installer {
    /// How many objects of the user's there are that [`Data::Delete`] would delete: custom resources of all namespaces, and
    /// volumes.
    pub async fn user_objects(&self, namespace: &str) -> Result<usize, InstallError> {
        let mut count = 0;
        for resource in own_kinds() {
            let all = self.list(&resource, None, "").await?;
            count += all.iter().filter(|object| !is_ours(object)).count();
        }
        Ok(count + self.volumes(namespace).await?.len())
    }

    /// Removes what the inventory names, and nothing else: with [`Data::Keep`] the user's objects, their kinds, volumes, keys
    /// and the namespace stay, and another installation finds them.
    pub async fn uninstall(&self, namespace: &str, data: Data) -> Result<(), InstallError> {
        let inventory = self
            .inventory(namespace)
            .await?
            .ok_or_else(|| InstallError::NotInstalled(namespace.to_owned()))?;
        if data == Data::Delete {
            // While the operator still runs: it takes back what runs were given.
            self.delete_resources().await?;
        }
        let goes = |entry: &&Entry| data == Data::Delete || !entry.stays;
        let namespace_of_ours = |entry: &Entry| entry.kind == "Namespace";
        for entry in inventory
            .objects
            .iter()
            .rev()
            .filter(goes)
            .filter(|entry| !namespace_of_ours(entry))
        {
            self.remove(entry).await?;
        }
        match data {
            Data::Keep => self.remember_what_stays(namespace, &inventory).await,
            Data::Delete => self.delete_rest(namespace, &inventory).await,
        }
    }

    /// An object that another tool has taken over is not ours any more.
    async fn remove(&self, entry: &Entry) -> Result<(), InstallError> {
        let there = self
            .get(&entry.resource(), entry.namespace.as_deref(), &entry.name)
            .await?;
        match there {
            None => Ok(()),
            Some(object) if is_ours(&object) => {
                self.tell(&format!("{} {}", entry.kind, entry.name));
                self.delete(entry).await
            }
            Some(_) => {
                self.tell(&format!(
                    "{} {} stays: it is somebody else's now",
                    entry.kind, entry.name
                ));
                Ok(())
            }
        }
    }

    async fn remember_what_stays(&self, namespace: &str, inventory: &Inventory) -> Result<(), InstallError> {
        let rest = Inventory {
            version: inventory.version.clone(),
            objects: inventory
                .objects
                .iter()
                .filter(|entry| entry.stays)
                .cloned()
                .collect(),
        };
        let options = InstallOptions {
            namespace: namespace.to_owned(),
            version: inventory.version.clone(),
            ..InstallOptions::default()
        };
        let manifest = rest.write(&options).map_err(InstallError::Manifest)?;
        self.apply(&manifest).await.map(drop)
    }

    /// Custom resources, and what cluster-wide rights runs left when their operator was not there to take them back.
    async fn delete_resources(&self) -> Result<(), InstallError> {
        for resource in own_kinds() {
            self.delete_all(&resource, None, "").await?;
        }
        for resource in [
            ApiResource::erase::<ClusterRoleBinding>(&()),
            ApiResource::erase::<ClusterRole>(&()),
            ApiResource::erase::<RoleBinding>(&()),
            ApiResource::erase::<Role>(&()),
        ] {
            self.delete_all(&resource, None, RUN_UID).await?;
        }
        Ok(())
    }

    async fn delete_rest(&self, namespace: &str, inventory: &Inventory) -> Result<(), InstallError> {
        let claims = ApiResource::erase::<PersistentVolumeClaim>(&());
        let ours = format!("{MANAGED_BY}={SYMPOZIUM}");
        self.delete_all(&claims, Some(namespace), &ours).await?;
        let list = ApiResource::erase::<ConfigMap>(&());
        self.remove(&entry(&list, Some(namespace), INVENTORY)).await?;
        for own in inventory.objects.iter().filter(|entry| entry.kind == "Namespace") {
            self.remove(own).await?;
            let end = Instant::now() + GONE;
            while self.get(&own.resource(), None, &own.name).await?.is_some() {
                not_late(end, &format!("Namespace {}", own.name))?;
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    async fn volumes(&self, namespace: &str) -> Result<Vec<DynamicObject>, InstallError> {
        let claims = ApiResource::erase::<PersistentVolumeClaim>(&());
        self.list(&claims, Some(namespace), &format!("{MANAGED_BY}={SYMPOZIUM}"))
            .await
    }

    /// Deletes all objects of a kind with these labels, and waits until they are gone, volumes apart: those go when no pod
    /// uses them.
    async fn delete_all(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<(), InstallError> {
        let all = self.list(resource, namespace, labels).await?;
        for object in &all {
            let name = object.name_any();
            self.tell(&format!("{} {name}", resource.kind));
            self.delete(&entry(resource, object.namespace().as_deref(), &name))
                .await?;
        }
        if all.is_empty() || resource.kind == "PersistentVolumeClaim" {
            return Ok(());
        }
        let end = Instant::now() + GONE;
        while !self.list(resource, namespace, labels).await?.is_empty() {
            not_late(end, &resource.kind)?;
            sleep(LOOK).await;
        }
        Ok(())
    }
}

fn not_late(end: Instant, subject: &str) -> Result<(), InstallError> {
    if Instant::now() < end {
        return Ok(());
    }
    Err(InstallError::Late {
        subject: subject.to_owned(),
        state: "gone",
        limit: GONE,
    })
}

/// Runs and what makes them first.
fn own_kinds() -> [ApiResource; 5] {
    [
        ApiResource::erase::<SympoziumSchedule>(&()),
        ApiResource::erase::<AgentRun>(&()),
        ApiResource::erase::<SympoziumInstance>(&()),
        ApiResource::erase::<SkillPack>(&()),
        ApiResource::erase::<SympoziumPolicy>(&()),
    ]
}

fn entry(resource: &ApiResource, namespace: Option<&str>, name: &str) -> Entry {
    Entry {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
        plural: resource.plural.clone(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        stays: true,
    }
}

fn is_ours(object: &DynamicObject) -> bool {
    object
        .labels()
        .get(MANAGED_BY)
        .is_some_and(|value| value == SYMPOZIUM)
}
