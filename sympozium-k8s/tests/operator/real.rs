//! The operator against a real API server: what only it can say about schemas, field selectors, versions and Events.
//!
//! The server may have controllers or none: pods that nobody makes are made here, and no kubelet is needed.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use sympozium_k8s::crd;
use sympozium_k8s::crd::v1alpha1::{AgentRun, SympoziumInstance, SympoziumPolicy, SympoziumSchedule};
use sympozium_k8s::objects::{Endpoint, Images, Installation, PullPolicy};
use sympozium_k8s::operator::Operator;
use sympozium_k8s::operator::lead::LeaseSettings;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

struct Real {
    client: Client,
    namespace: String,
    stop: CancellationToken,
    operator: JoinHandle<()>,
}

async fn client() -> Client {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    Client::try_default().await.unwrap()
}

fn operator(client: Client, namespace: &str, identity: &str) -> Operator {
    let endpoint = |port| Endpoint {
        host: "service".into(),
        ip: IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10)),
        port,
    };
    let installation = Installation {
        namespace: sympozium_core::ids::Namespace::new(namespace).unwrap(),
        images: Images {
            runner: "runner:1".into(),
            bridge: "bridge:1".into(),
            sandbox: "sandbox:1".into(),
        },
        pull_policy: PullPolicy::default(),
        gateway: endpoint(8443),
        bus: endpoint(4222),
        api_audience: "https://kubernetes.default.svc".into(),
    };
    Operator::builder(client, installation)
        .namespace(namespace)
        .lease(LeaseSettings::new(namespace, identity))
        .build()
}

impl Real {
    async fn start() -> Self {
        let client = client().await;
        let crds: Api<
            k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
        > = Api::all(client.clone());
        let apply = PatchParams::apply("test").force();
        for crd in crd::all() {
            crds.patch(&crd.name_any(), &apply, &Patch::Apply(&crd))
                .await
                .unwrap();
        }
        let namespace = format!("operator-{}", uuid::Uuid::new_v4().simple());
        let mut object = Namespace::default();
        object.metadata.name = Some(namespace.clone());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &object).await.unwrap();
        let stop = CancellationToken::new();
        let operator = tokio::spawn(operator(client.clone(), &namespace, "one").run(stop.clone()));
        let real = Self {
            client,
            namespace,
            stop,
            operator,
        };
        // A new kind is served a moment after it is accepted.
        let policy = SympoziumPolicy::new("default", serde_json::from_value(json!({})).unwrap());
        let policies: Api<SympoziumPolicy> = real.api();
        until("the policy is taken", async || {
            policies.create(&PostParams::default(), &policy).await.is_ok()
        })
        .await;
        let spec = json!({"agents": {"default": {"model": "gpt-4o", "subagents": {"maxConcurrent": 1}}}});
        let instance = SympoziumInstance::new("sre", serde_json::from_value(spec).unwrap());
        real.api::<SympoziumInstance>()
            .create(&PostParams::default(), &instance)
            .await
            .unwrap();
        real
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn run(&self, name: &str) {
        let spec = json!({"instanceRef": "sre", "task": "look"});
        let run = AgentRun::new(name, serde_json::from_value(spec).unwrap());
        self.api::<AgentRun>()
            .create(&PostParams::default(), &run)
            .await
            .unwrap();
    }

    async fn phase(&self, name: &str) -> String {
        let run = self.api::<AgentRun>().get(name).await.unwrap();
        run.status
            .and_then(|status| status.phase)
            .map(|phase| phase.to_string())
            .unwrap_or_default()
    }

    async fn until_phase(&self, name: &str, phase: &str) {
        until(&format!("{name} is {phase}"), async || {
            self.phase(name).await == phase
        })
        .await;
    }

    /// The pod of a run's Job, made here if no controller does.
    async fn pod(&self, run: &str) -> String {
        let (jobs, pods): (Api<Job>, Api<Pod>) = (self.api(), self.api());
        until(&format!("the Job of {run}"), async || {
            jobs.get_opt(run).await.unwrap().is_some()
        })
        .await;
        let selector = ListParams::default().labels(&format!("sympozium.ai/agent-run={run}"));
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if let Some(pod) = pods.list(&selector).await.unwrap().items.first() {
                return pod.name_any();
            }
            sleep(Duration::from_millis(50)).await;
        }
        let template = jobs.get(run).await.unwrap().spec.unwrap().template;
        let mut pod = Pod {
            metadata: template.metadata.unwrap(),
            spec: template.spec,
            ..Pod::default()
        };
        pod.metadata.name = Some(format!("{run}-pod"));
        pods.create(&PostParams::default(), &pod)
            .await
            .unwrap()
            .name_any()
    }

    async fn say(&self, pod: &str, status: serde_json::Value) {
        let pods: Api<Pod> = self.api();
        let patch = Patch::Merge(json!({ "status": status }));
        pods.patch_status(pod, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    async fn work(&self, run: &str) {
        let pod = self.pod(run).await;
        let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second())
            .unwrap()
            .to_string();
        let running = json!({"running": {"startedAt": now}});
        let container = |name: &str, state: &serde_json::Value| json!({"name": name, "image": "i", "imageID": "i", "ready": true, "restartCount": 0, "state": state});
        self.say(
            &pod,
            json!({"phase": "Running", "containerStatuses": [container("agent", &running)]}),
        )
        .await;
        self.until_phase(run, "Running").await;
        let result = json!({"status": "success", "response": "Done."}).to_string();
        let ended =
            json!({"terminated": {"exitCode": 0, "startedAt": now, "finishedAt": now, "message": result}});
        self.say(
            &pod,
            json!({"phase": "Running", "containerStatuses": [container("agent", &ended)]}),
        )
        .await;
        self.until_phase(run, "Succeeded").await;
    }

    async fn end(self) {
        self.stop.cancel();
        self.operator.await.unwrap();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces
            .delete(&self.namespace, &kube::api::DeleteParams::default())
            .await
            .unwrap();
    }
}

async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server in KUBECONFIG"]
async fn runs_go_all_their_way_on_a_real_api_server() {
    let real = Real::start().await;
    real.run("first").await;
    real.pod("first").await;
    real.run("second").await;
    real.until_phase("second", "Queued").await;
    real.work("first").await;
    let first = real.api::<AgentRun>().get("first").await.unwrap().status.unwrap();
    assert_eq!(
        (first.result.as_deref(), first.exit_code),
        (Some("Done."), Some(0))
    );
    let complete = first
        .conditions
        .iter()
        .find(|one| one.type_ == "Complete")
        .unwrap();
    assert_eq!(
        (complete.status.as_str(), complete.reason.as_str()),
        ("True", "Succeeded")
    );
    let events: Api<Event> = real.api();
    until("the Event", async || {
        let listed = events.list(&ListParams::default()).await.unwrap();
        listed
            .items
            .iter()
            .filter(|event| event.action.as_deref() == Some("End"))
            .count()
            == 1
    })
    .await;
    // The slot goes to the next one, which is then cancelled.
    real.pod("second").await;
    real.until_phase("second", "Pending").await;
    let wish = Patch::Merge(json!({"spec": {"cancel": true}}));
    real.api::<AgentRun>()
        .patch("second", &PatchParams::default(), &wish)
        .await
        .unwrap();
    let pods: Api<Pod> = real.api();
    until("the pod is told to end", async || {
        // Nobody ends it here, so it is taken away without waiting.
        let listed = pods
            .list(&ListParams::default().labels("sympozium.ai/agent-run=second"))
            .await
            .unwrap();
        for pod in &listed.items {
            if pod.metadata.deletion_timestamp.is_some() {
                let now = kube::api::DeleteParams::default().grace_period(0);
                drop(pods.delete(&pod.name_any(), &now).await);
            }
        }
        real.phase("second").await == "Cancelled"
    })
    .await;
    real.end().await;
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server in KUBECONFIG"]
async fn a_second_operator_takes_over_on_a_real_api_server() {
    let real = Real::start().await;
    until("the instance is ready", async || {
        let instance = real.api::<SympoziumInstance>().get("sre").await.unwrap();
        instance
            .status
            .is_some_and(|status| status.conditions.iter().any(|one| one.type_ == "Ready"))
    })
    .await;
    let stop = CancellationToken::new();
    let second = tokio::spawn(operator(real.client.clone(), &real.namespace, "two").run(stop.clone()));
    real.stop.cancel();
    real.run("look").await;
    real.work("look").await;
    stop.cancel();
    second.await.unwrap();
    real.end().await;
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server in KUBECONFIG"]
async fn a_schedule_starts_its_run_on_a_real_api_server() {
    let real = Real::start().await;
    let spec =
        json!({"instanceRef": "sre", "schedule": "* * * * *", "task": "look", "timeZone": "Europe/Berlin"});
    let schedule = SympoziumSchedule::new("watch", serde_json::from_value(spec).unwrap());
    let schedules: Api<SympoziumSchedule> = real.api();
    schedules.create(&PostParams::default(), &schedule).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    let runs: Api<AgentRun> = real.api();
    while runs.list(&ListParams::default()).await.unwrap().items.is_empty() {
        assert!(Instant::now() < deadline, "no tick has a run");
        sleep(Duration::from_millis(500)).await;
    }
    until("the schedule says so", async || {
        let status = schedules.get("watch").await.unwrap().status;
        status.is_some_and(|status| status.total_runs == 1 && status.last_run_name.is_some())
    })
    .await;
    real.end().await;
}
