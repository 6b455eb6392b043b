//! A mailbox, a NATS server, and bridges between them.

use crate::process::{DEADLINE, Process};
use anyhow::{Context, bail};
use futures::StreamExt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use sympozium_core::bus::nats::{Credential, NatsBus, NatsSettings, Readers, StreamLimits};
use sympozium_core::bus::{Envelope, EventBus, Source, Subject, Topic, run_reader};
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use sympozium_core::ipc::mailbox::OpenFolder;
use sympozium_core::testing::NatsServer;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// The variable that names a NATS server.
const SERVER: &str = "SYMPOZIUM_TEST_NATS";
/// How many are published at once, as the bridge does.
const AT_ONCE: usize = 512;
/// What each file says.
const CHUNK: &str = r#"{"type":"text","content":"What a model says between two breaths.","index":0}"#;
/// Where files are only in memory, as in a pod.
const MEMORY: &str = "/dev/shm";

/// One run's mailbox, without executors.
pub(crate) struct Mailbox {
    folder: tempfile::TempDir,
    server: NatsServer,
    runtime: Runtime,
    bus: NatsBus,
    run: RunUid,
    instance: InstanceRef,
}

impl Mailbox {
    /// `None` when there is no server.
    pub(crate) fn new() -> anyhow::Result<Option<Self>> {
        if std::env::var_os(SERVER).is_none() {
            return Ok(None);
        }
        let server = NatsServer::start("");
        let runtime = Runtime::new().context("make a runtime")?;
        let bus = runtime.block_on(connect(&server.url()))?;
        let instance = InstanceRef {
            namespace: Namespace::new("bench")?,
            name: InstanceName::new("bench")?,
        };
        let run = RunUid::random();
        runtime.block_on(bus.prepare_reader(&run_reader(&instance, run)))?;
        let folder = if Path::new(MEMORY).is_dir() {
            tempfile::tempdir_in(MEMORY)
        } else {
            tempfile::tempdir()
        };
        let folder = folder.context("make a folder")?;
        fs::create_dir_all(folder.path().join("ipc/output")).context("make a mailbox")?;
        Ok(Some(Self {
            folder,
            server,
            runtime,
            bus,
            run,
            instance,
        }))
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("ipc/output")
    }

    /// Writes so many files under names that were never used.
    pub(crate) fn write(&self, files: usize) -> anyhow::Result<()> {
        let output = OpenFolder::open(&self.output())?;
        for _ in 0..files {
            output.write(&format!("stream-{}.json", Uuid::new_v4()), CHUNK.as_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn start(&self, program: &Path) -> anyhow::Result<Process> {
        let run = self.run.to_string();
        let mut command = Command::new(program);
        command
            .args(["--namespace", "bench", "--instance", "bench"])
            .args(["--agent-run-id", &run, "--pod-uid", &run])
            .args(["--event-bus-url", &self.server.url()])
            .arg("--ipc-path")
            .arg(self.folder.path().join("ipc"))
            .arg("--termination-message")
            .arg(self.folder.path().join("termination-log"))
            .stdin(Stdio::null());
        Process::start(&mut command)
    }

    /// Waits until no file is left, with a look after each pause: with many files the processor is wanted elsewhere.
    pub(crate) fn wait_until_sent(&self, bridge: &mut Process, pause: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + DEADLINE;
        let output = self.output();
        while fs::read_dir(&output)
            .context("look into a mailbox")?
            .next()
            .is_some()
        {
            bridge.check_alive()?;
            if Instant::now() > until {
                bail!("not all files were sent within {DEADLINE:?}");
            }
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Tells a bridge to end, and says how long that took.
    pub(crate) fn stop(bridge: &mut Process) -> anyhow::Result<Duration> {
        let pid = rustix::process::Pid::from_child(bridge.child());
        let told = Instant::now();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("end a bridge")?;
        let status = bridge.ended()?;
        let took = told.elapsed();
        if !status.success() {
            bail!("the bridge ended with {status}");
        }
        Ok(took)
    }

    /// Publishes so many events without a mailbox, and says how long that took.
    pub(crate) fn publish(&self, events: usize) -> anyhow::Result<Duration> {
        let envelopes = (0..events)
            .map(|_| self.envelope())
            .collect::<anyhow::Result<Vec<_>>>()?;
        let begun = Instant::now();
        let published = futures::stream::iter(envelopes)
            .map(|envelope| self.bus.publish(envelope))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>();
        for published in self.runtime.block_on(published) {
            published?;
        }
        Ok(begun.elapsed())
    }

    fn envelope(&self) -> anyhow::Result<Envelope> {
        Ok(Envelope {
            id: Uuid::new_v4().to_string(),
            source: Source::Run(self.instance.namespace.clone(), self.run),
            subject: Subject::new(
                self.instance.clone(),
                Topic::AgentStreamChunk,
                self.run.to_string(),
            )?,
            time: jiff::Timestamp::now(),
            traceparent: None,
            data: serde_json::from_str(CHUNK)?,
        })
    }
}

async fn connect(url: &str) -> anyhow::Result<NatsBus> {
    let bus = NatsBus::connect(NatsSettings {
        servers: url.to_owned(),
        name: "bench".to_owned(),
        inbox: "bench".to_owned(),
        credential: Credential::Nothing,
        ca_file: None,
        readers: Readers::Own { forget_after: None },
        deadline: Duration::from_secs(10),
    })
    .await?;
    let limits = StreamLimits {
        work_bytes: 256 << 20,
        watch_bytes: 256 << 20,
        dead_bytes: 16 << 20,
        replicas: 1,
    };
    bus.ensure_streams(&limits).await?;
    Ok(bus)
}
