//! Writes and the few reads: [`Applier`]. The only place that knows patch parameters.

use super::error::Error;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

/// Who we are to server-side apply.
pub const FIELD_MANAGER: &str = "sympozium-operator";
/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(15);

/// A kind that the operator writes or reads, in namespaces.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static
{
}

/// Talks to the API server. Each request is counted by verb and resource, and has a limit.
#[derive(Clone)]
pub struct Applier {
    client: Client,
}

impl Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").finish_non_exhaustive()
    }
}

impl Applier {
    /// Talks by this client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Makes an object be as given: what the operator said before and does not say now is taken back.
    pub async fn apply<K: Kind>(&self, object: &K) -> Result<K, Error> {
        let (namespace, name) = place(object);
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.ask(
            "apply",
            &namespace,
            &name,
            api_kind::<K>(),
            api.patch(&name, &params, &Patch::Apply(object)),
        )
        .await
    }

    /// The same for an object that is in no namespace.
    pub async fn apply_cluster<K>(&self, object: &K) -> Result<K, Error>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync,
    {
        let (_, name) = place(object);
        let api: Api<K> = Api::all(self.client.clone());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.ask(
            "apply",
            "",
            &name,
            plural::<K>(),
            api.patch(&name, &params, &Patch::Apply(object)),
        )
        .await
    }

    /// Makes a status be as given. `object` carries nothing but names, the resource version that it was decided on, and
    /// the status; a conflict says that it was decided on an old state.
    pub async fn apply_status<K: Kind, S: Serialize + Debug + Sync>(
        &self,
        namespace: &str,
        name: &str,
        object: &S,
    ) -> Result<K, Error> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(object);
        self.ask(
            "apply-status",
            namespace,
            name,
            api_kind::<K>(),
            api.patch_status(name, &params, &patch),
        )
        .await
    }

    /// Merges a few fields into an object.
    pub async fn merge<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        fields: &serde_json::Value,
    ) -> Result<K, Error> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(fields);
        self.ask(
            "patch",
            namespace,
            name,
            api_kind::<K>(),
            api.patch(name, &params, &patch),
        )
        .await
    }

    /// Creates an object. That it is there already is `None`.
    pub async fn create<K: Kind>(&self, object: &K) -> Result<Option<K>, Error> {
        let (namespace, name) = place(object);
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let made = self
            .ask(
                "create",
                &namespace,
                &name,
                api_kind::<K>(),
                api.create(&params, object),
            )
            .await;
        match made {
            Ok(made) => Ok(Some(made)),
            Err(error) if error.is_already_there() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces an object if nobody changed it since it was read.
    pub async fn replace<K: Kind>(&self, object: &K) -> Result<K, Error> {
        let (namespace, name) = place(object);
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        self.ask(
            "update",
            &namespace,
            &name,
            api_kind::<K>(),
            api.replace(&name, &params, object),
        )
        .await
    }

    /// The object of this name, as it is now.
    pub async fn get<K: Kind>(&self, namespace: &str, name: &str) -> Result<Option<K>, Error> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        self.ask("get", namespace, name, api_kind::<K>(), api.get_opt(name))
            .await
    }

    /// Deletes an object, and in the background what it owns; with a `uid`, only the object with that. That there is none
    /// is a success.
    pub async fn delete<K: Kind>(&self, namespace: &str, name: &str, uid: Option<&str>) -> Result<(), Error> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let params = deletion(uid);
        gone(
            self.ask(
                "delete",
                namespace,
                name,
                api_kind::<K>(),
                api.delete(name, &params),
            )
            .await,
            uid,
        )
    }

    /// The same for an object that is in no namespace.
    pub async fn delete_cluster<K>(&self, name: &str) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.client.clone());
        gone(
            self.ask(
                "delete",
                "",
                name,
                plural::<K>(),
                api.delete(name, &deletion(None)),
            )
            .await,
            None,
        )
    }

    /// Sends a request with a limit, counts it, and says what it was about if it fails.
    pub async fn ask<T>(
        &self,
        verb: &'static str,
        namespace: &str,
        name: &str,
        resource: &'static str,
        request: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<T, Error> {
        metrics::counter!("sympozium_operator_api_requests_total", "verb" => verb, "resource" => resource)
            .increment(1);
        let name = || {
            if namespace.is_empty() {
                name.to_owned()
            } else {
                format!("{namespace}/{name}")
            }
        };
        match tokio::time::timeout(LIMIT, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(Error::Api {
                verb,
                resource,
                name: name(),
                source: Box::new(source),
            }),
            Err(_) => Err(Error::Timeout {
                verb,
                resource,
                name: name(),
                limit: LIMIT,
            }),
        }
    }
}

fn deletion(uid: Option<&str>) -> DeleteParams {
    DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: uid.map(|uid| Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    }
}

/// What is not there is gone; so is what has another UID by now.
fn gone<T>(result: Result<T, Error>, uid: Option<&str>) -> Result<(), Error> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() || (uid.is_some() && error.is_conflict()) => Ok(()),
        Err(error) => Err(error),
    }
}

fn place<K: Resource>(object: &K) -> (String, String) {
    let metadata = object.meta();
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

fn api_kind<K: Kind>() -> &'static str {
    plural::<K>()
}

/// The plural of a kind, for metrics: a closed set, so that the label can't grow.
fn plural<K: Resource<DynamicType = ()>>() -> &'static str {
    match K::kind(&()).as_ref() {
        "AgentRun" => "agentruns",
        "SympoziumInstance" => "sympoziuminstances",
        "SympoziumPolicy" => "sympoziumpolicies",
        "SympoziumSchedule" => "sympoziumschedules",
        "SkillPack" => "skillpacks",
        "Job" => "jobs",
        "Pod" => "pods",
        "ConfigMap" => "configmaps",
        "ServiceAccount" => "serviceaccounts",
        "Role" => "roles",
        "RoleBinding" => "rolebindings",
        "ClusterRole" => "clusterroles",
        "ClusterRoleBinding" => "clusterrolebindings",
        "NetworkPolicy" => "networkpolicies",
        "Event" => "events",
        "Lease" => "leases",
        "Namespace" => "namespaces",
        _ => "others",
    }
}
