//! All watches of an operator: [`Watching`].

use super::controllers::World;
use super::watch::{Followed, LIVE, PodLabels, follow};
use crate::objects::names;
use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// All watches of an operator.
#[derive(Debug)]
pub(super) struct Watching {
    tasks: JoinSet<()>,
    filled: Vec<Followed>,
}

/// What a watch is begun with.
struct Start<'a> {
    client: Client,
    namespace: Option<&'a str>,
    stop: &'a CancellationToken,
}

impl Watching {
    pub(super) fn begin(world: &Arc<World>, namespace: Option<&str>, stop: &CancellationToken) -> Self {
        let mut watching = Self {
            tasks: JoinSet::new(),
            filled: Vec::new(),
        };
        let start = Start {
            client: world.applier().client().clone(),
            namespace,
            stop,
        };
        watching.runs(world, &start);
        let everywhere = Start {
            client: start.client.clone(),
            namespace: None,
            stop,
        };
        // Policies and packs of the installation hold in every namespace.
        let of = Arc::clone(world);
        watching.follow(&everywhere, Config::default(), move |event| {
            of.caches()
                .policies
                .take(event)
                .iter()
                .for_each(|change| of.policy_changed(change));
        });
        let of = Arc::clone(world);
        watching.follow(&everywhere, Config::default(), move |event| {
            of.caches()
                .packs
                .take(event)
                .iter()
                .for_each(|change| of.pack_changed(change));
        });
        let of = Arc::clone(world);
        watching.follow(&start, Config::default(), move |event| {
            of.caches()
                .instances
                .take(event)
                .iter()
                .for_each(|change| of.instance_changed(change));
        });
        let of = Arc::clone(world);
        watching.follow(&start, Config::default(), move |event| {
            of.caches()
                .schedules
                .take(event)
                .iter()
                .for_each(|change| of.schedule_changed(change));
        });
        watching.namespaces(world, &start);
        watching
    }

    fn runs(&mut self, world: &Arc<World>, start: &Start<'_>) {
        let of = Arc::clone(world);
        self.follow(start, Config::default().fields(LIVE), move |event| {
            of.caches()
                .runs
                .take(event)
                .iter()
                .for_each(|change| of.run_changed(change));
        });
        let of = Arc::clone(world);
        let selector = format!("{}={}", names::COMPONENT, names::Component::AgentRun.as_str());
        let labels = PodLabels {
            run: names::RUN,
            run_uid: names::RUN_UID,
        };
        self.follow(start, Config::default().labels(&selector), move |event| {
            of.caches()
                .pods
                .take(event, labels)
                .iter()
                .for_each(|change| of.pod_changed(change));
        });
    }

    fn namespaces(&mut self, world: &Arc<World>, start: &Start<'_>) {
        let of = Arc::clone(world);
        let api: Api<PartialObjectMeta<k8s_openapi::api::core::v1::Namespace>> =
            Api::all(start.client.clone());
        let (sender, filled) = Followed::new();
        self.filled.push(filled);
        let stop = start.stop.clone();
        self.tasks
            .spawn(follow(api, Config::default(), sender, stop, move |event| {
                of.caches()
                    .namespaces
                    .take(event)
                    .iter()
                    .for_each(|change| of.namespace_changed(change));
            }));
    }

    fn follow<K>(&mut self, start: &Start<'_>, config: Config, take: impl FnMut(Event<K>) + Send + 'static)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static,
    {
        let client = start.client.clone();
        let api: Api<K> = start.namespace.map_or_else(
            || Api::all(client.clone()),
            |namespace| Api::namespaced(client.clone(), namespace),
        );
        let (sender, filled) = Followed::new();
        self.filled.push(filled);
        self.tasks
            .spawn(follow(api, config, sender, start.stop.clone(), take));
    }

    /// Waits until every watch has shown all that there is.
    pub(super) async fn filled(&mut self) {
        for filled in &mut self.filled {
            filled.filled().await;
        }
    }

    /// Waits until every watch has ended.
    pub(super) async fn end(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a watch of the operator broke off");
            }
        }
    }
}
