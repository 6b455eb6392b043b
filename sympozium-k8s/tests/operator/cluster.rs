//! What else there is in a cluster: the Job controller, a kubelet with agents in its pods, the garbage collector.

use crate::server::{ApiServer, EventKind, TestClock};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sympozium_core::bus::{Envelope, EventBus, InMemoryBus, Source, Subject, Topic};
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What an agent does.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    /// How long its pod takes to start.
    pub(crate) start: Duration,
    /// How long it works.
    pub(crate) work: Duration,
    /// Its exit code.
    pub(crate) exit_code: i32,
    /// Whether it has a result, and whether that says success.
    pub(crate) result: Option<bool>,
    /// Its answer, if it succeeds.
    pub(crate) says: &'static str,
    /// Whether its bridge tells the bus.
    pub(crate) tells: bool,
    /// Whether the result is in the termination message too.
    pub(crate) leaves_message: bool,
    /// Whether it goes on for ever after its result is told.
    pub(crate) hangs: bool,
    /// How long its bridge drains.
    pub(crate) drain: Duration,
}

impl Agent {
    /// One that answers after a second.
    pub(crate) fn good() -> Self {
        Self {
            start: Duration::from_millis(200),
            work: Duration::from_secs(1),
            exit_code: 0,
            result: Some(true),
            says: "Done.",
            tells: true,
            leaves_message: true,
            hangs: false,
            drain: Duration::from_millis(20),
        }
    }

    /// Any.
    pub(crate) fn any(random: &mut fastrand::Rng) -> Self {
        let result = [None, Some(false), Some(true), Some(true), Some(true)][random.usize(0..5)];
        Self {
            start: Duration::from_millis(random.u64(1..2000)),
            work: Duration::from_millis(random.u64(0..30_000)),
            exit_code: match result {
                Some(true) => 0,
                Some(false) => 1,
                None => [1, 137][random.usize(0..2)],
            },
            result,
            says: "Done.",
            tells: random.u32(0..4) > 0,
            leaves_message: random.bool(),
            hangs: random.u32(0..12) == 0,
            drain: Duration::from_millis(random.u64(0..3000)),
        }
    }

    /// The result as JSON.
    fn result(&self) -> Option<Value> {
        let success = self.result?;
        Some(if success {
            json!({"status": "success", "response": self.says, "metrics": {"inputTokens": 7, "outputTokens": 3}})
        } else {
            json!({"status": "error", "error": "It broke."})
        })
    }
}

/// The rest of a cluster.
pub(crate) struct Cluster {
    server: ApiServer,
    clock: TestClock,
    bus: Arc<InMemoryBus>,
    /// Agents by run name; others are good.
    agents: Arc<Mutex<BTreeMap<String, Agent>>>,
}

impl Cluster {
    pub(crate) fn new(server: ApiServer, clock: TestClock, bus: Arc<InMemoryBus>) -> Self {
        Self {
            server,
            clock,
            bus,
            agents: Arc::default(),
        }
    }

    pub(crate) fn agent(&self, run: &str, agent: Agent) {
        self.agents.lock().unwrap().insert(run.to_owned(), agent);
    }

    /// Lives until dropped.
    pub(crate) fn live(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (server, clock) = (self.server.clone(), self.clock);
        let (bus, agents) = (Arc::clone(&self.bus), Arc::clone(&self.agents));
        tasks.spawn(async move {
            let mut pods = JoinSet::new();
            let mut changes = server.store().changes();
            let mut seen = 0;
            loop {
                while let Some(event) = next(&server, &mut seen) {
                    match (event.resource.as_str(), event.kind) {
                        ("jobs", EventKind::Added) => {
                            let name = event.object["metadata"]["name"].as_str().unwrap().to_owned();
                            let agent = agents
                                .lock()
                                .unwrap()
                                .get(&name)
                                .cloned()
                                .unwrap_or_else(Agent::good);
                            let life = Life {
                                server: server.clone(),
                                clock,
                                bus: Arc::clone(&bus),
                                agent,
                                job: event.object,
                            };
                            pods.spawn(life.live());
                        }
                        (_, EventKind::Deleted) => collect(&server, &event.object),
                        _ => {}
                    }
                }
                changes.changed().await.unwrap();
            }
        });
        tasks
    }
}

fn next(server: &ApiServer, seen: &mut usize) -> Option<crate::server::Event> {
    let store = server.store();
    let event = store.log.get(*seen).cloned();
    *seen += usize::from(event.is_some());
    event
}

/// Deletes what a deleted object owned.
fn collect(server: &ApiServer, gone: &Value) {
    let uid = gone["metadata"]["uid"].as_str().unwrap();
    let mut store = server.store();
    for resource in [
        "jobs",
        "agentruns",
        "configmaps",
        "serviceaccounts",
        "roles",
        "rolebindings",
        "pods",
    ] {
        let owned: Vec<(String, String)> = store
            .list(resource, "")
            .filter(|object| {
                let owners = object["metadata"]["ownerReferences"].as_array();
                owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == uid))
            })
            .map(|object| {
                let part = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
                (part("namespace"), part("name"))
            })
            .collect();
        for (namespace, name) in owned {
            store.delete(resource, &namespace, &name).unwrap();
        }
    }
}

/// One Job and its pod.
struct Life {
    server: ApiServer,
    clock: TestClock,
    bus: Arc<InMemoryBus>,
    agent: Agent,
    job: Value,
}

impl Life {
    async fn live(self) {
        sleep(Duration::from_millis(10)).await;
        if self.make_pod() {
            self.pod().await;
            // `ttlSecondsAfterFinished`
            sleep(Duration::from_mins(5)).await;
            drop(
                self.server
                    .store()
                    .delete("jobs", &self.namespace(), &self.name()),
            );
        }
    }

    async fn pod(&self) {
        if self.wait(self.agent.start).await {
            self.status(|status, now| {
                status["phase"] = json!("Running");
                status["initContainerStatuses"] =
                    json!([{"name": "ipc-bridge", "state": {"running": {"startedAt": now}}}]);
                status["containerStatuses"] =
                    json!([{"name": "agent", "state": {"running": {"startedAt": now}}}]);
            });
        } else {
            return self.killed().await;
        }
        if !self.wait(self.agent.work).await {
            return self.killed().await;
        }
        if self.agent.tells {
            self.tell().await;
        }
        if self.agent.hangs {
            self.wait(Duration::from_hours(48)).await;
            return self.killed().await;
        }
        let message = self
            .agent
            .result()
            .filter(|_| self.agent.leaves_message)
            .map(|result| result.to_string());
        self.end_agent(self.agent.exit_code, message.as_deref());
        self.wait(self.agent.drain).await;
        self.end_pod();
    }

    fn name(&self) -> String {
        self.job["metadata"]["name"].as_str().unwrap().to_owned()
    }

    fn namespace(&self) -> String {
        self.job["metadata"]["namespace"].as_str().unwrap().to_owned()
    }

    fn pod_name(&self) -> String {
        let uid = self.job["metadata"]["uid"].as_str().unwrap();
        format!("{}-{}", self.name(), &uid[..8])
    }

    fn make_pod(&self) -> bool {
        let mut store = self.server.store();
        let there = store.get("jobs", &self.namespace(), &self.name());
        if there.is_none_or(|job| job["metadata"]["uid"] != self.job["metadata"]["uid"]) {
            return false;
        }
        let template = &self.job["spec"]["template"];
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.pod_name(),
                "labels": template["metadata"]["labels"],
                "ownerReferences": [{
                    "apiVersion": "batch/v1", "kind": "Job", "controller": true,
                    "name": self.name(), "uid": self.job["metadata"]["uid"],
                }],
            },
            "spec": {
                "serviceAccountName": template["spec"]["serviceAccountName"],
                "activeDeadlineSeconds": template["spec"]["activeDeadlineSeconds"],
                "containers": [],
            },
            "status": { "phase": "Pending" },
        });
        store.create("pods", &self.namespace(), pod).is_ok()
    }

    /// Waits. False if the pod is to end before.
    async fn wait(&self, time: Duration) -> bool {
        let end = tokio::time::Instant::now() + time;
        loop {
            let mut changes = self.server.store().changes();
            let doomed = {
                let store = self.server.store();
                let pod = store.get("pods", &self.namespace(), &self.pod_name());
                pod.is_none_or(|pod| !pod["metadata"]["deletionTimestamp"].is_null())
            };
            if doomed {
                return false;
            }
            tokio::select! {
                () = tokio::time::sleep_until(end) => return true,
                _ = changes.changed() => {}
            }
        }
    }

    async fn killed(&self) {
        sleep(Duration::from_millis(500)).await;
        self.end_agent(143, None);
        sleep(self.agent.drain).await;
        self.end_pod();
        drop(
            self.server
                .store()
                .delete("pods", &self.namespace(), &self.pod_name()),
        );
    }

    fn end_agent(&self, exit_code: i32, message: Option<&str>) {
        self.status(|status, now| {
            let began = status["containerStatuses"][0]["state"]["running"]["startedAt"].clone();
            status["containerStatuses"] = json!([{"name": "agent", "state": {"terminated": {
                "exitCode": exit_code, "startedAt": began, "finishedAt": now, "message": message,
            }}}]);
        });
    }

    fn end_pod(&self) {
        self.status(|status, now| {
            status["phase"] = json!("Succeeded");
            status["initContainerStatuses"] = json!([{"name": "ipc-bridge", "state": {"terminated": {
                "exitCode": 0, "finishedAt": now,
            }}}]);
        });
    }

    fn status(&self, change: impl FnOnce(&mut Value, String)) {
        let now = jiff::Timestamp::from_second(self.clock.time().as_second())
            .unwrap()
            .to_string();
        let mut store = self.server.store();
        let Some(mut pod) = store.get("pods", &self.namespace(), &self.pod_name()).cloned() else {
            return;
        };
        change(&mut pod["status"], now);
        store
            .update("pods", &self.namespace(), &self.pod_name(), pod)
            .unwrap();
    }

    /// What the bridge publishes.
    async fn tell(&self) {
        let Some(result) = self.agent.result() else { return };
        let labels = &self.job["metadata"]["labels"];
        let uid: RunUid = labels["sympozium.ai/run-uid"].as_str().unwrap().parse().unwrap();
        let namespace = Namespace::new(self.namespace()).unwrap();
        let instance = InstanceRef {
            namespace: namespace.clone(),
            name: InstanceName::new(labels["sympozium.ai/instance"].as_str().unwrap()).unwrap(),
        };
        let topic = if self.agent.result == Some(true) {
            Topic::AgentRunCompleted
        } else {
            Topic::AgentRunFailed
        };
        let envelope = Envelope {
            id: format!("result-{uid}"),
            source: Source::Run(namespace, uid),
            subject: Subject::new(instance, topic, uid.to_string()).unwrap(),
            time: self.clock.time(),
            traceparent: None,
            data: result,
        };
        self.bus.publish(envelope).await.unwrap();
    }
}
