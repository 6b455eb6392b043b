//! What `status` sees.

use super::Installer;
use crate::ca;
use crate::install::error::InstallError;
use crate::install::inventory::Entry;
use crate::install::names;
use crate::install::status::{Seen, Workload};
use kube::api::DynamicObject;
use secrecy::ExposeSecret;

impl Installer {
    /// Looks at everything that is installed in a namespace. [`judge`](crate::install::judge) says what it means.
    pub async fn status(&self, namespace: &str) -> Result<Seen, InstallError> {
        let inventory = self
            .inventory(namespace)
            .await?
            .ok_or_else(|| InstallError::NotInstalled(namespace.to_owned()))?;
        let mut seen = Seen {
            version: inventory.version.clone(),
            ..Seen::default()
        };
        for entry in &inventory.objects {
            let object = self
                .get(&entry.resource(), entry.namespace.as_deref(), &entry.name)
                .await?;
            if matches!(entry.kind.as_str(), "Deployment" | "StatefulSet") {
                seen.workloads.push(workload(&entry.name, object.as_ref()));
            } else if object.is_none() {
                seen.missing.push(named(entry));
            }
        }
        for secret in [names::GATEWAY_TLS, names::NATS_TLS, names::POSTGRES_TLS] {
            if inventory.objects.iter().any(|entry| entry.name == secret) {
                let ends = self.certificate_ends(namespace, secret).await?;
                seen.certificates.push((secret.to_owned(), ends));
            }
        }
        Ok(seen)
    }

    async fn certificate_ends(
        &self,
        namespace: &str,
        secret: &str,
    ) -> Result<Option<jiff::Timestamp>, InstallError> {
        let data = self.secret(namespace, secret).await?.unwrap_or_default();
        let certificate = data.get(ca::TLS_CERTIFICATE);
        Ok(certificate
            .and_then(|text| ca::life(text.expose_secret()).ok())
            .map(|life| life.ends))
    }
}

fn named(entry: &Entry) -> String {
    format!("{} {}", entry.kind, entry.name)
}

/// How many pods of a Deployment or StatefulSet are there, and how many should be.
pub(super) fn workload(name: &str, object: Option<&DynamicObject>) -> Workload {
    let number = |path: &str| {
        let value = object.and_then(|object| object.data.pointer(path));
        value.and_then(serde_json::Value::as_i64).unwrap_or_default()
    };
    let image = object.and_then(|object| object.data.pointer("/spec/template/spec/containers/0/image"));
    let generation = object
        .and_then(|object| object.metadata.generation)
        .unwrap_or_default();
    Workload {
        name: name.to_owned(),
        there: object.is_some(),
        image: image
            .and_then(|image| image.as_str())
            .unwrap_or_default()
            .to_owned(),
        wanted: number("/spec/replicas"),
        ready: number("/status/readyReplicas"),
        updated: number("/status/updatedReplicas"),
        observed: number("/status/observedGeneration") >= generation && generation > 0,
    }
}
