//! An executor that keeps its runs apart, and what the system says of their processes.

use crate::by_hand::{DEADLINE, in_time};
use crate::local::{Approves, Notes, Sockets};
use crate::model::{Model, Says};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use sympozium_core::chat::Message;
use sympozium_core::ids::RunUid;
use sympozium_core::local::{
    LocalEvent, LocalExecutor, LocalIsolation, LocalProcess, LocalProgram, LocalPrograms, LocalSettings,
    Walls, probe,
};
use sympozium_core::run::{AgentResult, Observed, RunExecutor, RunPlan};

/// The variable that names a folder with copies of the programs, for users who can't read those of the build.
pub(crate) const PROGRAMS: &str = "ISOLATED_TEST_PROGRAMS";
/// The programs of a run.
pub(crate) const ALL: [(&str, &str); 3] = [
    ("runner", env!("CARGO_BIN_EXE_sympozium-runner")),
    ("toolbox", env!("CARGO_BIN_EXE_sympozium-toolbox")),
    ("sandbox", env!("CARGO_BIN_EXE_sympozium-sandbox")),
];

/// An executor with a folder of its own. Dropping it ends its runs.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) executor: LocalExecutor,
    pub(crate) model: Arc<Model>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) walls: Walls,
}

pub(crate) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Settings with isolation, and short graces.
pub(crate) fn settings(root: &Path) -> LocalSettings {
    let copies = std::env::var_os(PROGRAMS).map(PathBuf::from);
    let [runner, toolbox, sandbox] = ALL.map(|(name, built)| {
        let path = copies
            .as_ref()
            .map_or_else(|| built.into(), |copies| copies.join(name));
        LocalProgram::new(path, Vec::<String>::new())
    });
    let programs = LocalPrograms {
        runner,
        toolbox,
        sandbox,
    };
    let mut settings = LocalSettings::new(root, programs);
    settings.isolation = LocalIsolation::Full;
    settings
}

/// A command for the run's own executor.
pub(crate) fn command(text: &str) -> (&'static str, serde_json::Value) {
    ("execute_command", json!({"command": text}))
}

impl Bench {
    /// None, and a word about it, where no sandbox can be made.
    pub(crate) fn new(model: Arc<Model>) -> Option<Self> {
        Self::with(model, |_| {})
    }

    pub(crate) fn saying(turns: Vec<Says>) -> Option<Self> {
        Self::new(Model::new(turns))
    }

    pub(crate) fn with(model: Arc<Model>, change: impl FnOnce(&mut LocalSettings)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder.path().join("r"));
        change(&mut settings);
        let walls = match probe(&settings) {
            Ok(walls) => walls,
            Err(refusal) => {
                println!("skipped: {refusal}");
                return None;
            }
        };
        let notes = Arc::new(Notes::default());
        let executor = LocalExecutor::new(settings, Arc::new(Sockets::new(&model)))
            .approver(Arc::new(Approves))
            .events(notes.clone());
        Some(Self {
            folder,
            executor,
            model,
            notes,
            walls,
        })
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("r")
    }

    pub(crate) async fn run(&self, plan: &RunPlan) -> AgentResult {
        self.executor.ensure(plan).await.unwrap();
        let (exit_code, result) = self.end_of(plan).await;
        result.unwrap_or_else(|| panic!("no result, exit code {exit_code}, {:?}", self.events()))
    }

    /// Waits for a run's end.
    pub(crate) async fn end_of(&self, plan: &RunPlan) -> (i32, Option<AgentResult>) {
        in_time("the run", async {
            let mut seen = Observed::Nothing;
            loop {
                if let Observed::Finished {
                    exit_code, result, ..
                } = seen
                {
                    return (exit_code, result);
                }
                seen = self.executor.changed(plan.run.uid, &seen).await.unwrap();
            }
        })
        .await
    }

    pub(crate) fn events(&self) -> Vec<LocalEvent> {
        self.notes.events.lock().unwrap().clone()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        let faults = self.events().into_iter().filter_map(|event| match event {
            LocalEvent::Fault(fault) => Some(fault),
            _ => None,
        });
        faults.collect()
    }

    /// The launcher that was started last for a process.
    pub(crate) fn launcher(&self, of: &LocalProcess) -> u32 {
        let mut pids = self.events().into_iter().filter_map(|event| match event {
            LocalEvent::Started { process, pid } if process == *of => Some(pid),
            _ => None,
        });
        pids.next_back().unwrap()
    }

    /// What tools have answered, in order.
    pub(crate) fn tool_results(&self) -> Vec<String> {
        let last = self.model.asked().pop().unwrap();
        let results = last.messages.iter().flat_map(Message::results);
        results.map(|result| result.content.clone()).collect()
    }

    /// Removes a run, and checks that neither folder, process nor cgroup is left of it.
    pub(crate) async fn check_nothing_is_left(&self, run: RunUid) {
        self.executor.remove(run).await.unwrap();
        assert!(!self.root().join(run.to_string()).exists(), "the folder is gone");
        let left = processes(run);
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(groups(run), Vec::<PathBuf>::new());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&run.to_string()), "nothing is mounted here");
    }
}

/// A process of a run: its id, its user, its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) pid: u32,
    pub(crate) user: u32,
    pub(crate) line: String,
}

/// All processes that carry the run's mark, or its name in their arguments.
pub(crate) fn processes(run: RunUid) -> Vec<Seen> {
    let mark = format!("SYMPOZIUM_RUN={run}");
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let bytes = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let text = |name: &str| String::from_utf8_lossy(&bytes(name)).replace('\0', " ");
        let line = text("cmdline");
        if !text("environ").contains(&mark) && !line.contains(&run.to_string()) {
            return None;
        }
        let status = text("status");
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let user = user.and_then(|ids| ids.split_whitespace().next()?.parse().ok());
        Some(Seen {
            pid,
            user: user?,
            line,
        })
    })
    .collect()
}

/// The process that keeps a run's mailbox.
pub(crate) fn holder(run: RunUid) -> u32 {
    let found = processes(run).into_iter().find(|one| one.line.contains("--hold"));
    found.expect("a run has a holder").pid
}

pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// The cgroups that are named like a run.
pub(crate) fn groups(run: RunUid) -> Vec<PathBuf> {
    fn look(dir: &Path, name: &str, depth: u32, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name() == name {
                    found.push(entry.path());
                }
                if depth > 0 {
                    look(&entry.path(), name, depth - 1, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    look(Path::new("/sys/fs/cgroup"), &run.to_string(), 6, &mut found);
    found
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "it is never so that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
