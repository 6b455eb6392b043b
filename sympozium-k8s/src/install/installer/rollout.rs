//! Waiting until kinds are served and pods run.

use super::Installer;
use super::look::workload;
use crate::install::error::InstallError;
use crate::install::manifest::Manifest;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::runtime::wait::{await_condition, conditions};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long the API server may take to serve a new kind.
const ESTABLISHED: Duration = Duration::from_mins(1);
/// How often pods are looked at.
const LOOK: Duration = Duration::from_secs(1);

impl Installer {
    /// Waits until the API server serves the kinds among these objects.
    pub(super) async fn kinds_are_served(&self, manifests: &[Manifest]) -> Result<(), InstallError> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for manifest in manifests
            .iter()
            .filter(|one| one.resource.kind == "CustomResourceDefinition")
        {
            let served = await_condition(
                definitions.clone(),
                manifest.name(),
                conditions::is_crd_established(),
            );
            match timeout(ESTABLISHED, served).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => {
                    return Err(InstallError::Late {
                        subject: manifest.to_string(),
                        state: "served",
                        limit: ESTABLISHED,
                    });
                }
            }
        }
        Ok(())
    }

    /// Waits until all pods of these objects run and are ready.
    pub(super) async fn rolled_out(
        &self,
        manifests: &[Manifest],
        limit: Duration,
    ) -> Result<(), InstallError> {
        let end = Instant::now() + limit;
        let runs = |one: &&Manifest| matches!(one.resource.kind.as_str(), "Deployment" | "StatefulSet");
        for manifest in manifests.iter().filter(runs) {
            let mut said = String::new();
            loop {
                let object = self
                    .get(&manifest.resource, manifest.namespace(), manifest.name())
                    .await?;
                let seen = workload(manifest.name(), object.as_ref());
                if seen.is_complete() {
                    break;
                }
                let line = format!("Waiting for {manifest}: {} of {} ready", seen.ready, seen.wanted);
                if line != said {
                    self.tell(&line);
                    said = line;
                }
                if Instant::now() >= end {
                    return Err(InstallError::Late {
                        subject: manifest.to_string(),
                        state: "ready",
                        limit,
                    });
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }
}
