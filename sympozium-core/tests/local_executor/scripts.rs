//! A bench for local runs: an executor whose programs are shell scripts, and everything that it tells.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sympozium_core::error::BoxError;
use sympozium_core::ids::RunUid;
use sympozium_core::local::{
    LocalApprover, LocalEvent, LocalEvents, LocalExecutor, LocalProgram, LocalPrograms, LocalSettings,
    RunGateway,
};
use sympozium_core::run::{AgentResult, Observed, RunExecutor, RunPlan};
use sympozium_core::testing::run_plan;
use tokio::sync::Notify;

/// How long a test waits for something that has to happen.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// An agent's first lines: where the mailbox is, and how a file gets into it whole.
const PRELUDE: &str = r#"
ipc=$(dirname "$2")/../ipc
put() { cat > "$ipc/$1/.$2" && mv "$ipc/$1/.$2" "$ipc/$1/$2"; }
await() { while [ ! -e "$ipc/$1" ]; do sleep 0.01; done; cat "$ipc/$1"; }
answer() { printf '{"status":"success","response":"%s"}' "$1" | put output result.json; }
"#;

/// A gateway that is only a file, and remembers which runs are served.
#[derive(Debug, Default)]
pub(crate) struct FileGateway {
    pub(crate) open: Mutex<Vec<(RunUid, PathBuf)>>,
    pub(crate) broken: bool,
}

#[async_trait::async_trait]
impl RunGateway for FileGateway {
    async fn open(&self, plan: &Arc<RunPlan>, socket: &Path) -> Result<(), BoxError> {
        if self.broken {
            return Err("the gateway is out of order".into());
        }
        std::fs::write(socket, "")?;
        self.open.lock().unwrap().push((plan.run.uid, socket.to_owned()));
        Ok(())
    }

    async fn close(&self, run: RunUid) {
        self.open.lock().unwrap().retain(|(open, socket)| {
            if *open == run {
                let _ = std::fs::remove_file(socket);
            }
            *open != run
        });
    }
}

/// Everything that was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    events: Mutex<Vec<LocalEvent>>,
    more: Notify,
}

impl LocalEvents for Told {
    fn on(&self, _: RunUid, event: LocalEvent) {
        self.events.lock().unwrap().push(event);
        self.more.notify_waiters();
    }
}

impl Told {
    pub(crate) fn all(&self) -> Vec<LocalEvent> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until that many events are of the wanted kind, and returns them.
    pub(crate) async fn wait<T>(&self, count: usize, wanted: impl Fn(&LocalEvent) -> Option<T>) -> Vec<T> {
        let look = async {
            loop {
                let more = self.more.notified();
                tokio::pin!(more);
                more.as_mut().enable();
                let found: Vec<T> = self.all().iter().filter_map(&wanted).collect();
                if found.len() >= count {
                    return found;
                }
                more.await;
            }
        };
        tokio::time::timeout(DEADLINE, look)
            .await
            .expect("the events come in time")
    }
}

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) executor: LocalExecutor,
    pub(crate) gateway: Arc<FileGateway>,
    pub(crate) told: Arc<Told>,
}

fn shell(script: &str) -> LocalProgram {
    let text = format!("{PRELUDE}\n{script}");
    LocalProgram::new("/bin/sh", ["-c".to_owned(), text, "agent".to_owned()])
}

pub(crate) fn settings(root: &Path, agent: &str, toolbox: &str) -> LocalSettings {
    let programs = LocalPrograms {
        runner: shell(agent),
        toolbox: shell(toolbox),
        sandbox: shell("exit 70"),
    };
    LocalSettings {
        grace: Duration::from_millis(300),
        ..LocalSettings::new(root, programs)
    }
}

impl Bench {
    pub(crate) fn new(agent: &str) -> Self {
        Self::with(agent, "read _", |_| {}, None)
    }

    pub(crate) fn with(
        agent: &str,
        toolbox: &str,
        change: impl FnOnce(&mut LocalSettings),
        approver: Option<Arc<dyn LocalApprover>>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder.path().join("runs"), agent, toolbox);
        change(&mut settings);
        let (gateway, told) = (Arc::new(FileGateway::default()), Arc::new(Told::default()));
        let mut executor = LocalExecutor::new(settings, gateway.clone()).events(told.clone());
        if let Some(approver) = approver {
            executor = executor.approver(approver);
        }
        Self {
            folder,
            executor,
            gateway,
            told,
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// Carries out a plan to its end.
    pub(crate) async fn run(&self, plan: &RunPlan) -> (i32, Option<AgentResult>) {
        self.executor.ensure(plan).await.unwrap();
        self.end(plan.run.uid).await
    }

    pub(crate) async fn end(&self, run: RunUid) -> (i32, Option<AgentResult>) {
        let follow = async {
            let mut seen = self.executor.observe(run).await.unwrap();
            loop {
                if let Observed::Finished {
                    exit_code, result, ..
                } = seen
                {
                    return (exit_code, result);
                }
                seen = self.executor.changed(run, &seen).await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, follow)
            .await
            .expect("the run ends in time")
    }

    /// The answer of a script that is expected to give one.
    pub(crate) async fn answer(&self) -> String {
        let (code, result) = self.run(&run_plan("the task")).await;
        let result = result.unwrap_or_else(|| panic!("no result; exit code {code}, {:?}", self.told.all()));
        result.response
    }
}

/// The processes that carry a run's mark.
pub(crate) fn processes_of(run: RunUid) -> Vec<String> {
    let mark = format!("SYMPOZIUM_RUN={run}");
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|one| one == mark.as_bytes())
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
