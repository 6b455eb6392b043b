//! Runs by the local executor, with a gateway of ours.

use super::Watch;
use crate::machine::field;
use crate::model::{Asked, FakeGateway, Says, next};
use crate::process::DEADLINE;
use crate::programs::Programs;
use anyhow::{Context, bail};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use sympozium_core::error::{BoxError, chain};
use sympozium_core::ids::{PackName, RunUid};
use sympozium_core::ipc::{Folder, Layout};
use sympozium_core::local::{
    LocalEvent, LocalEvents, LocalExecutor, LocalIsolation, LocalProcess, LocalProgram, LocalPrograms,
    LocalSettings, RunGateway,
};
use sympozium_core::run::{Observed, RunExecutor, RunPlan};
use tokio::runtime::Runtime;

/// The most of complaints that an error repeats, in characters.
const MAX_COMPLAINT: usize = 300;

/// An executor with one run at a time.
pub(crate) struct Local {
    runtime: Runtime,
    executor: LocalExecutor,
    shared: Arc<Shared>,
    heard: Receiver<Asked>,
    root: tempfile::TempDir,
}

/// This machine, or what is built, allows no such run. Everything else that goes wrong is a fault.
#[derive(Debug)]
pub(crate) struct NotPossible(String);

impl std::fmt::Display for NotPossible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotPossible {}

/// How a run went.
#[derive(Debug)]
pub(crate) struct LocalRun {
    /// When the executor was asked for it.
    pub(crate) asked_for: Instant,
    /// When its agent's process (in a sandbox: that one's launcher) had started.
    pub(crate) started: Instant,
    pub(crate) turns: Vec<Asked>,
    /// Milliseconds from each request for a command to its result, as seen from outside.
    pub(crate) commands: Vec<f64>,
}

/// What the executor calls back.
struct Shared {
    hear: Sender<Asked>,
    says: Mutex<Vec<Says>>,
    open: Mutex<Option<FakeGateway>>,
    agent: Arc<Agent>,
    /// What went wrong, for the error.
    complaints: Mutex<Vec<String>>,
}

/// The agent's process.
#[derive(Default)]
struct Agent {
    started: Mutex<Option<(Instant, u32)>>,
    /// It was seen in a sandbox.
    sandboxed: AtomicBool,
}

impl Agent {
    /// Looks whether it is in a sandbox. The launcher itself stays outside; what it started has mounts of its own.
    fn look(&self) {
        let Some((_, launcher)) = *locked(&self.started) else {
            return;
        };
        let mounts = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let own = mounts("self");
        let inside = |pid: &String| mounts(pid).is_some_and(|theirs| Some(theirs) != own);
        let seen = children(launcher).is_ok_and(|inside_it| inside_it.iter().any(inside));
        self.sandboxed.store(seen, Ordering::Relaxed);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl RunGateway for Shared {
    async fn open(&self, plan: &Arc<RunPlan>, socket: &Path) -> Result<(), BoxError> {
        let agent = Arc::clone(&self.agent);
        let look = move || agent.look();
        let gateway = FakeGateway::start(socket, plan, &locked(&self.says), self.hear.clone(), look)?;
        *locked(&self.open) = Some(gateway);
        Ok(())
    }

    async fn close(&self, _: RunUid) {
        *locked(&self.open) = None;
    }
}

impl LocalEvents for Shared {
    fn on(&self, _: RunUid, event: LocalEvent) {
        match event {
            LocalEvent::Started {
                process: LocalProcess::Runner,
                pid,
            } => *locked(&self.agent.started) = Some((Instant::now(), pid)),
            LocalEvent::Ended {
                process, complaint, ..
            } if !complaint.is_empty() => {
                locked(&self.complaints).push(format!("{process}: {complaint}"));
            }
            LocalEvent::Fault(fault) => locked(&self.complaints).push(fault),
            // The rest is for people in front of a run.
            _ => {}
        }
    }
}

impl Local {
    /// An executor of these programs.
    pub(crate) fn new(programs: &Programs, isolation: LocalIsolation) -> anyhow::Result<Self> {
        let root = tempfile::tempdir().context("make a folder for runs")?;
        let program = |path| LocalProgram::new(path, Vec::<String>::new());
        let programs = LocalPrograms {
            runner: program(programs.runner()?),
            toolbox: program(programs.toolbox()?),
            sandbox: match isolation {
                LocalIsolation::None => program(programs.toolbox()?),
                LocalIsolation::Full => program(
                    programs
                        .sandbox()
                        .map_err(|error| NotPossible(error.to_string()))?,
                ),
            },
        };
        let mut settings = LocalSettings::new(root.path(), programs);
        settings.isolation = isolation;
        let (hear, heard) = channel();
        let shared = Arc::new(Shared {
            hear,
            says: Mutex::default(),
            open: Mutex::default(),
            agent: Arc::default(),
            complaints: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.context("make a runtime")?,
            executor: LocalExecutor::new(settings, shared.clone()).events(shared.clone()),
            shared,
            heard,
            root,
        })
    }

    /// Carries out a run whose model says that, from its start to its removal. With `sandboxed`, the agent has to be in
    /// one: an executor that makes none would look fast.
    pub(crate) fn run(&self, plan: &RunPlan, says: Vec<Says>, sandboxed: bool) -> anyhow::Result<LocalRun> {
        let turns = says.len() + 1;
        *locked(&self.shared.says) = says;
        *locked(&self.shared.agent.started) = None;
        self.shared.agent.sandboxed.store(false, Ordering::Relaxed);
        locked(&self.shared.complaints).clear();
        let done = self.carry_out(plan, turns, sandboxed);
        let removed = self.runtime.block_on(self.executor.remove(plan.run.uid));
        let mut done = done.with_context(|| {
            let complaints = locked(&self.shared.complaints).join("; ");
            // What programs write for people may have colours and many lines.
            let readable = complaints.chars().filter(|sign| !sign.is_control());
            let start: String = readable.take(MAX_COMPLAINT).collect();
            format!("a run by the local executor went wrong ({start})")
        })?;
        removed.context("remove a run")?;
        done.turns.extend(self.heard.try_iter());
        Ok(done)
    }

    fn carry_out(&self, plan: &RunPlan, turns: usize, sandboxed: bool) -> anyhow::Result<LocalRun> {
        let asked_for = Instant::now();
        let ensured = self.runtime.block_on(self.executor.ensure(plan));
        ensured.map_err(|error| NotPossible(format!("start a run: {}", chain(&error))))?;
        let watch = match plan.sandbox {
            Some(_) => Some(Watch::start(&self.tools_dir(plan.run.uid)?)?),
            None => None,
        };
        let mut all = Vec::new();
        while all.len() < turns {
            all.push(next(&self.heard, || self.check_running(plan.run.uid))?);
            if sandboxed && !self.shared.agent.sandboxed.load(Ordering::Relaxed) {
                bail!("the executor makes no sandbox");
            }
        }
        let agent = *locked(&self.shared.agent.started);
        let (started, _) = agent.context("the executor did not tell of its agent")?;
        self.wait_for_end(plan.run.uid)?;
        Ok(LocalRun {
            asked_for,
            started,
            turns: all,
            commands: watch.map(Watch::times).unwrap_or_default(),
        })
    }

    /// Where requests for commands appear. With a sandbox, that is where only its holder's mounts show it.
    fn tools_dir(&self, run: RunUid) -> anyhow::Result<PathBuf> {
        let place = self.root.path().join(run.to_string());
        let layout = match holder()? {
            None => Layout::new(place.join("ipc")),
            Some(pid) => {
                let place = place.strip_prefix("/").context("a folder without a root")?;
                Layout::new(Path::new("/proc").join(pid).join("root").join(place).join("ipc"))
            }
        };
        Ok(layout.folder(&Folder::Tools(PackName::new("sandbox")?)))
    }

    fn check_running(&self, run: RunUid) -> anyhow::Result<()> {
        match self.runtime.block_on(self.executor.observe(run))? {
            Observed::Finished {
                exit_code, result, ..
            } => {
                let reason = result.and_then(|result| result.error).unwrap_or_default();
                bail!("it ended early, with exit code {exit_code}: {reason}")
            }
            Observed::Nothing => bail!("the run is gone"),
            // Starting, running, and what may come to be told besides.
            _ => Ok(()),
        }
    }

    fn wait_for_end(&self, run: RunUid) -> anyhow::Result<()> {
        let follow = async {
            let mut seen = Observed::Nothing;
            loop {
                seen = self.executor.changed(run, &seen).await?;
                if let Observed::Finished { exit_code, .. } = seen {
                    return anyhow::Ok(exit_code);
                }
            }
        };
        let ended = self
            .runtime
            .block_on(async { tokio::time::timeout(DEADLINE, follow).await });
        match ended.context("the run does not end")?? {
            0 => Ok(()),
            code => bail!("the run failed, with exit code {code}"),
        }
    }
}

/// The process of ours that holds a run's private file systems, if there is one.
fn holder() -> anyhow::Result<Option<String>> {
    let holds = |pid: &String| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split('\0').any(|argument| argument == "--hold")
    };
    Ok(children(std::process::id())?.into_iter().find(holds))
}

/// The processes that a process has started and that are there.
fn children(parent: u32) -> anyhow::Result<Vec<String>> {
    let parent = parent.to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("look at the processes")? {
        let entry = entry.context("look at a process")?;
        // Others come and go meanwhile.
        let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if field(&status, "PPid").as_ref() == Some(&parent) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

impl Drop for Local {
    fn drop(&mut self) {
        // What could not be ended was said when it was tried.
        let _ = self.runtime.block_on(self.executor.shutdown());
    }
}
