//! Requests about objects of any kind.

use super::{FIELD_MANAGER, Installer};
use crate::crd;
use crate::install::error::InstallError;
use crate::install::inventory::{Entry, Inventory};
use crate::install::manifest::Manifest;
use crate::install::names::INVENTORY;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PropagationPolicy,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a new kind may take until its objects are accepted: the API server learns of it a moment later.
const NEW_KIND: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);
const NOT_FOUND: u16 = 404;

/// Gives a request a limit, and its error a place.
pub(super) async fn ask<T>(
    step: &'static str,
    subject: impl Into<String>,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, InstallError> {
    let subject = subject.into();
    match timeout(LIMIT, request).await {
        Ok(answer) => answer.map_err(|source| InstallError::Request {
            step,
            subject,
            source: Box::new(source),
        }),
        Err(_) => Err(InstallError::Late {
            subject: format!("the answer about {subject}"),
            state: "there",
            limit: LIMIT,
        }),
    }
}

impl Installer {
    pub(super) fn api(&self, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    /// Makes an object be as given, whoever changed it.
    pub(super) async fn apply(&self, manifest: &Manifest) -> Result<DynamicObject, InstallError> {
        let api = self.api(&manifest.resource, manifest.namespace());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&manifest.object);
        let ours = manifest.resource.group == crd::GROUP;
        let end = Instant::now() + NEW_KIND;
        loop {
            let done = ask(
                "apply",
                manifest.to_string(),
                api.patch(manifest.name(), &params, &patch),
            )
            .await;
            match done {
                Err(error) if ours && is_not_found(&error) && Instant::now() < end => sleep(PAUSE).await,
                done => return done,
            }
        }
    }

    pub(super) async fn get(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<DynamicObject>, InstallError> {
        let subject = format!("{} {name}", resource.kind);
        let api = self.api(resource, namespace);
        match ask("read", subject, api.get_opt(name)).await {
            // A kind that there is not has no objects.
            Err(error) if is_not_found(&error) => Ok(None),
            answer => answer,
        }
    }

    /// Deletes an object, and what it owns. That there is none is a success.
    pub(super) async fn delete(&self, entry: &Entry) -> Result<(), InstallError> {
        let api = self.api(&entry.resource(), entry.namespace.as_deref());
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let subject = format!("{} {}", entry.kind, entry.name);
        match ask("delete", subject, api.delete(&entry.name, &params)).await {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind with these labels, in one namespace or all. A kind that there is not has none.
    pub(super) async fn list(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<DynamicObject>, InstallError> {
        let api = self.api(resource, namespace);
        let params = ListParams::default().labels(labels);
        match ask("list", resource.kind.clone(), api.list(&params)).await {
            Ok(list) => Ok(list.items),
            Err(error) if is_not_found(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What is installed in a namespace.
    pub(super) async fn inventory(&self, namespace: &str) -> Result<Option<Inventory>, InstallError> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let subject = format!("ConfigMap {INVENTORY}");
        let map = ask("read", subject, maps.get_opt(INVENTORY)).await?;
        map.map(|map| Inventory::read(&map).map_err(InstallError::Inventory))
            .transpose()
    }
}

fn is_not_found(error: &InstallError) -> bool {
    match error {
        InstallError::Request { source, .. } => {
            matches!(source.as_ref(), kube::Error::Api(status) if status.code == NOT_FOUND)
        }
        InstallError::Options(_)
        | InstallError::Manifest(_)
        | InstallError::Generate(_)
        | InstallError::Inventory(_)
        | InstallError::Late { .. }
        | InstallError::NotInstalled(_) => false,
    }
}
