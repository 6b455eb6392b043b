//! A run's mailbox, its NATS server, and bridges.

use futures::StreamExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use sympozium_core::bridge::{Bridge, BridgeConfig};
use sympozium_core::bus::nats::{Credential, NatsBus, NatsSettings, Readers, StreamLimits};
use sympozium_core::bus::{EventBus, Subscription, Topic, run_reader};
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use sympozium_core::ipc::mailbox::write_json;
use sympozium_core::testing::NatsServer;

const DEADLINE: Duration = Duration::from_mins(2);
/// How many messages and how many chunks are written.
pub(crate) const FILES: usize = 400;

const LIMITS: StreamLimits = StreamLimits {
    work_bytes: 64 << 20,
    watch_bytes: 64 << 20,
    dead_bytes: 16 << 20,
    replicas: 1,
};

pub(crate) struct Run {
    folder: tempfile::TempDir,
    pub(crate) server: NatsServer,
    pub(crate) bus: NatsBus,
    pub(crate) uid: RunUid,
    pub(crate) instance: InstanceRef,
}

/// A bridge that is killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Tells it to end; it does, with that code.
    pub(crate) fn end(mut self, code: i32) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let late = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return assert_eq!(status.code(), Some(code));
            }
            assert!(Instant::now() < late, "it ends in time");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that is gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn settings(url: &str) -> NatsSettings {
    NatsSettings {
        servers: url.to_owned(),
        name: "test".to_owned(),
        inbox: "test".to_owned(),
        credential: Credential::Nothing,
        ca_file: None,
        readers: Readers::Own { forget_after: None },
        deadline: Duration::from_secs(10),
    }
}

impl Run {
    pub(crate) async fn new() -> Self {
        let server = NatsServer::start("");
        let bus = NatsBus::connect(settings(&server.url())).await.unwrap();
        bus.ensure_streams(&LIMITS).await.unwrap();
        let run = Self {
            folder: tempfile::tempdir().unwrap(),
            server,
            bus,
            uid: RunUid::random(),
            instance: InstanceRef {
                namespace: Namespace::new("team").unwrap(),
                name: InstanceName::new("sre").unwrap(),
            },
        };
        run.bus
            .prepare_reader(&run_reader(&run.instance, run.uid))
            .await
            .unwrap();
        run.bus.prepare_reader(&run.everything()).await.unwrap();
        run
    }

    fn everything(&self) -> Subscription {
        Subscription {
            reader: "judge".to_owned(),
            topics: vec![
                Topic::AgentRunCompleted,
                Topic::MessageRequest,
                Topic::AgentStreamChunk,
            ],
            instance: None,
            key: Some(self.uid.to_string()),
            ack_wait: Duration::from_secs(30),
            max_deliver: 5,
        }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("ipc").join(path)
    }

    pub(crate) fn make_folders(&self) {
        let config = BridgeConfig {
            ipc: self.at(""),
            run: self.uid,
            instance: self.instance.clone(),
            executors: vec![],
            grace: Duration::ZERO,
            termination_message: None,
        };
        drop(Bridge::open(config).unwrap());
    }

    pub(crate) fn start(&self, more: &[&str]) -> Process {
        let uid = self.uid.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sympozium-ipc-bridge"));
        command
            .args(["--namespace", "team", "--instance", "sre", "--run-name", "a-run"])
            .args(["--agent-run-id", &uid, "--pod-uid", &uid])
            .args(["--event-bus-url", &self.server.url()])
            .arg("--ipc-path")
            .arg(self.folder.path().join("ipc"))
            .arg("--termination-message")
            .arg(self.folder.path().join("termination-log"))
            .args(more)
            .env_clear()
            .stdin(Stdio::null());
        Process(command.spawn().unwrap())
    }

    pub(crate) fn put(&self, path: &str, value: &Value) {
        let path = self.at(path);
        let name = path.file_name().unwrap().to_str().unwrap();
        write_json(path.parent().unwrap(), name, value).unwrap();
    }

    pub(crate) fn write_files(&self) {
        for n in 0..FILES {
            self.put(
                &format!("messages/send-{n}.json"),
                &json!({"channel": "c", "text": n.to_string()}),
            );
            self.put(
                &format!("output/stream-{n}.json"),
                &json!({"type": "text", "index": n}),
            );
        }
        self.put("output/result.json", &json!({"status": "success"}));
    }

    /// How many files are not sent yet; the result stays.
    pub(crate) fn left(&self) -> usize {
        let count = |folder: &str| {
            let files = fs::read_dir(self.at(folder)).unwrap().flatten();
            let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
            names
                .filter(|name| name.starts_with("send-") || name.starts_with("stream-"))
                .count()
        };
        count("messages") + count("output")
    }

    pub(crate) fn receipts(&self) -> usize {
        fs::read_dir(self.at("receipts")).unwrap().count()
    }

    /// Checks what is on the bus: as many events as there were files, each id once.
    pub(crate) async fn has_each_event_once(&self) {
        let mut deliveries = self.bus.subscribe(self.everything()).await.unwrap();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        while seen.len() < 2 * FILES + 1 {
            let next = tokio::time::timeout(DEADLINE, deliveries.next()).await;
            let delivery = next.expect("all events are there").unwrap().unwrap();
            *seen.entry(delivery.envelope.id.clone()).or_default() += 1;
            delivery.ack().await.unwrap();
        }
        let more = tokio::time::timeout(Duration::from_millis(500), deliveries.next()).await;
        assert!(more.is_err(), "nothing is there twice");
        assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let late = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < late, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
