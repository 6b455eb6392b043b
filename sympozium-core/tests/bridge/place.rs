//! A run's mailbox, and the bridge that serves it.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::bridge::{Bridge, BridgeConfig, BridgeError, TerminationMessage};
use sympozium_core::bus::EventBus;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, PackName, RunUid};
use sympozium_core::ipc::LostEvents;
use sympozium_core::ipc::mailbox::write_json;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) config: BridgeConfig,
}

pub(crate) struct Working {
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<LostEvents, BridgeError>>,
}

impl Working {
    /// Tells it to end and waits for that.
    pub(crate) async fn end(self) -> LostEvents {
        self.stop.cancel();
        let ended = tokio::time::timeout(DEADLINE, self.task).await;
        ended.expect("it ends in time").unwrap().unwrap()
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::on(&std::env::temp_dir())
    }

    /// On the disk of that folder.
    pub(crate) fn on(disk: &Path) -> Self {
        let folder = tempfile::tempdir_in(disk).unwrap();
        let config = config(folder.path().join("ipc"), RunUid::random());
        Self { folder, config }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("ipc").join(path)
    }

    /// Makes the folders as a bridge does that was there before.
    pub(crate) fn make(&self) {
        drop(Bridge::open(self.config.clone()).unwrap());
    }

    pub(crate) fn start(&self, bus: &Arc<impl EventBus + 'static>) -> Working {
        let bridge = Bridge::open(self.config.clone()).unwrap();
        let stop = CancellationToken::new();
        let (bus, token) = (Arc::clone(bus), stop.clone());
        let task = tokio::spawn(async move { bridge.serve(bus, &token).await });
        Working { stop, task }
    }

    pub(crate) fn put(&self, path: &str, value: &Value) {
        let path = self.at(path);
        let name = path.file_name().unwrap().to_str().unwrap();
        write_json(path.parent().unwrap(), name, value).unwrap();
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    /// A file's JSON, when it is there.
    pub(crate) async fn read(&self, path: &str) -> Value {
        until(path, || self.has(path)).await;
        serde_json::from_slice(&fs::read(self.at(path)).unwrap()).unwrap()
    }

    pub(crate) fn termination_message(&self) -> String {
        fs::read_to_string(&self.config.termination_message.as_ref().unwrap().path).unwrap_or_default()
    }
}

pub(crate) fn config(ipc: PathBuf, run: RunUid) -> BridgeConfig {
    BridgeConfig {
        termination_message: Some(TerminationMessage {
            path: ipc.with_file_name("termination-log"),
            most_bytes: 300,
        }),
        ipc,
        run,
        instance: InstanceRef {
            namespace: Namespace::new("team").unwrap(),
            name: InstanceName::new("sre").unwrap(),
        },
        executors: vec![
            PackName::new("k8s-ops").unwrap(),
            PackName::new("sandbox").unwrap(),
        ],
        grace: DEADLINE,
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let late = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < late, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
