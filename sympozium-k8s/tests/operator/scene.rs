//! A cluster with an operator in it.

use crate::cluster::Cluster;
use crate::server::{ApiServer, Faults, Store, TestClock};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::bus::{BusLimits, InMemoryBus};
use sympozium_core::ids::Namespace;
use sympozium_k8s::objects::{Endpoint, Images, Installation, PullPolicy};
use sympozium_k8s::operator::lead::LeaseSettings;
use sympozium_k8s::operator::{Operator, OperatorBuilder};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// A cluster with an operator in it.
pub(crate) struct Scene {
    pub(crate) server: ApiServer,
    pub(crate) clock: TestClock,
    pub(crate) bus: Arc<InMemoryBus>,
    pub(crate) cluster: Cluster,
    /// What failures name it by.
    pub(crate) label: String,
    _life: JoinSet<()>,
}

/// An operator at work.
pub(crate) struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    /// As kill -9 would.
    pub(crate) fn kill(self) {
        self.task.abort();
    }

    /// As SIGTERM would.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_mins(1), self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

impl Scene {
    pub(crate) fn new(faults: Faults) -> Self {
        let clock = TestClock::begin();
        let server = ApiServer::new(Store::new(clock), faults);
        let bus = Arc::new(InMemoryBus::new(BusLimits::default()));
        let cluster = Cluster::new(server.clone(), clock, Arc::clone(&bus));
        let life = cluster.live();
        let scene = Self {
            server,
            clock,
            bus,
            cluster,
            label: String::new(),
            _life: life,
        };
        scene.put("namespaces", "", json!({"metadata": {"name": "team"}}));
        scene.put(
            "sympoziumpolicies",
            "sympozium-system",
            json!({"metadata": {"name": "default"}, "spec": {}}),
        );
        scene
    }

    pub(crate) fn put(&self, resource: &str, namespace: &str, mut object: Value) -> Value {
        let (version, kind) = match resource {
            "namespaces" => ("v1", "Namespace"),
            "agentruns" => ("sympozium.ai/v1alpha1", "AgentRun"),
            "sympoziuminstances" => ("sympozium.ai/v1alpha1", "SympoziumInstance"),
            "sympoziumpolicies" => ("sympozium.ai/v1alpha1", "SympoziumPolicy"),
            "sympoziumschedules" => ("sympozium.ai/v1alpha1", "SympoziumSchedule"),
            "skillpacks" => ("sympozium.ai/v1alpha1", "SkillPack"),
            other => panic!("no kind for {other}"),
        };
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        self.server.store().create(resource, namespace, object).unwrap()
    }

    pub(crate) fn instance(&self, name: &str, concurrent: u32) {
        let spec = json!({
            "agents": {"default": {"model": "gpt-4o", "subagents": {"maxConcurrent": concurrent, "maxDepth": 2, "maxChildrenPerAgent": 2}}},
        });
        self.put(
            "sympoziuminstances",
            "team",
            json!({"metadata": {"name": name}, "spec": spec}),
        );
    }

    pub(crate) fn run(&self, name: &str, more: &Value) -> Value {
        let mut spec = json!({"instanceRef": "sre", "task": "look", "timeout": "10m"});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.put(
            "agentruns",
            "team",
            json!({"metadata": {"name": name}, "spec": spec}),
        )
    }

    pub(crate) fn get(&self, resource: &str, name: &str) -> Value {
        self.server
            .store()
            .get(resource, "team", name)
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn phase(&self, run: &str) -> String {
        self.get("agentruns", run)["status"]["phase"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn condition(&self, resource: &str, name: &str, kind: &str) -> Value {
        let object = self.get(resource, name);
        let all = object["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        all.into_iter()
            .find(|one| one["type"] == kind)
            .unwrap_or_default()
    }

    pub(crate) fn cancel(&self, run: &str) {
        let mut store = self.server.store();
        let mut object = store.get("agentruns", "team", run).cloned().unwrap();
        object["spec"]["cancel"] = json!(true);
        store.update("agentruns", "team", run, object).unwrap();
    }

    pub(crate) fn builder(&self) -> OperatorBuilder {
        let endpoint = |host: &str, port| Endpoint {
            host: host.to_owned(),
            ip: IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10)),
            port,
        };
        let installation = Installation {
            namespace: Namespace::new("sympozium-system").unwrap(),
            images: Images {
                runner: "runner:1".into(),
                bridge: "bridge:1".into(),
                sandbox: "sandbox:1".into(),
            },
            pull_policy: PullPolicy::default(),
            gateway: endpoint("gateway.sympozium-system.svc", 8443),
            bus: endpoint("nats.sympozium-system.svc", 4222),
            api_audience: "https://kubernetes.default.svc".into(),
        };
        Operator::builder(self.server.client(), installation)
            .clock(Arc::new(self.clock))
            .bus(Arc::clone(&self.bus) as Arc<_>)
            .workers(4)
    }

    pub(crate) fn start(&self) -> Running {
        Self::begin(self.builder().build())
    }

    pub(crate) fn start_as(&self, identity: &str) -> Running {
        Self::begin(
            self.builder()
                .lease(LeaseSettings::new("sympozium-system", identity))
                .build(),
        )
    }

    pub(crate) fn begin(operator: Operator) -> Running {
        let stop = CancellationToken::new();
        let task = tokio::spawn(operator.run(stop.clone()));
        Running { task, stop }
    }

    /// Waits until it is so. A day of the test's time is enough for anything.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_hours(24);
        let mut changes = self.server.store().changes();
        while !so(self) {
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(Duration::from_secs(5)) => {}
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{}: never {what}",
                self.label
            );
        }
    }

    pub(crate) async fn until_ended(&self, run: &str) -> String {
        let ended = |scene: &Self| ["Succeeded", "Failed", "Cancelled"].contains(&scene.phase(run).as_str());
        self.until(&format!("{run} ended"), ended).await;
        self.phase(run)
    }

    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
