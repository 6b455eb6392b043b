//! A folder with everything that the programs of one run need, without an executor.

use crate::model::{Asked, FakeGateway, Says, next};
use crate::process::Process;
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use sympozium_core::ids::PackName;
use sympozium_core::ipc::mailbox::make_folders;
use sympozium_core::ipc::{Folder, Layout};
use sympozium_core::run::{FolderMount, GatewayEndpoint, RunPlan, RunnerConfig};
use sympozium_core::toolbox::ToolboxConfig;

/// A run's folder, its gateway, and who is heard there.
#[derive(Debug)]
pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) plan: RunPlan,
    heard: Receiver<Asked>,
    _gateway: FakeGateway,
}

impl Place {
    /// A fresh run whose model will say that.
    pub(crate) fn new(says: &[Says]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for a run")?;
        let (plan, (hear, heard)) = (super::plan(), channel());
        let gateway = FakeGateway::start(&folder.path().join("g.sock"), &plan, says, hear, || {})?;
        let place = Self {
            folder,
            plan,
            heard,
            _gateway: gateway,
        };
        place.prepare().context("prepare the folder of a run")?;
        Ok(place)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn prepare(&self) -> anyhow::Result<()> {
        for name in ["workspace", "runner-state", "toolbox-state"] {
            std::fs::create_dir(self.path(name))?;
        }
        super::fill(&self.path("workspace"))?;
        make_folders(&self.layout(), &[sandbox()?])?;
        let runner = RunnerConfig {
            gateway: GatewayEndpoint::Unix(self.path("g.sock")),
            ipc: self.path("ipc"),
            workspace: FolderMount {
                mount: "/workspace".into(),
                dir: self.path("workspace"),
                read_only: false,
            },
            folders: Vec::new(),
            skills: None,
            memory_file: None,
            state_dir: self.path("runner-state"),
            approval_wait_seconds: 60,
        };
        std::fs::write(self.path("runner.json"), serde_json::to_vec(&runner)?)?;
        std::fs::write(
            self.path("toolbox.json"),
            serde_json::to_vec(&self.toolbox_config()?)?,
        )?;
        Ok(())
    }

    fn toolbox_config(&self) -> anyhow::Result<ToolboxConfig> {
        Ok(ToolboxConfig {
            tools_dir: self.tools_dir()?,
            approvals_dir: self.layout().folder(&Folder::ApprovalsOf(sandbox()?)),
            workspace: self.path("workspace"),
            workspace_mount: "/workspace".into(),
            shell: "/bin/sh".into(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            gate: self.plan.tool_gate(),
            typed_tools: Vec::new(),
            sole: true,
            state_dir: Some(self.path("toolbox-state")),
            commands: None,
            proxy: None,
        })
    }

    fn layout(&self) -> Layout {
        Layout::new(self.path("ipc"))
    }

    /// Where requests for commands go.
    pub(crate) fn tools_dir(&self) -> anyhow::Result<PathBuf> {
        Ok(self.layout().folder(&Folder::Tools(sandbox()?)))
    }

    /// Starts a program with a configuration of this place.
    pub(crate) fn start(&self, program: &Path, config: &str) -> anyhow::Result<Process> {
        let log = File::create(self.path("log")).context("make a log")?;
        let mut command = Command::new(program);
        command.arg("--config").arg(self.path(config)).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process::start(&mut command)
    }

    /// Starts the runner and waits for its first request for a model turn.
    pub(crate) fn start_runner(&self, program: &Path) -> anyhow::Result<(Process, Asked)> {
        let mut runner = self.start(program, "runner.json")?;
        let first = self.next(&mut runner)?;
        Ok((runner, first))
    }

    /// The next request for a model turn.
    pub(crate) fn next(&self, runner: &mut Process) -> anyhow::Result<Asked> {
        next(&self.heard, || runner.check_alive()).with_context(|| self.complaint("runner"))
    }

    /// Has the runner go through all its turns, and returns them in order.
    pub(crate) fn run(&self, program: &Path, turns: usize) -> anyhow::Result<Vec<Asked>> {
        let (mut runner, first) = self.start_runner(program)?;
        let mut all = vec![first];
        // The answer that there is nothing more to do is a turn too.
        while all.len() <= turns {
            all.push(self.next(&mut runner)?);
        }
        self.ended(&mut runner)?;
        Ok(all)
    }

    /// Waits until the runner has ended well.
    pub(crate) fn ended(&self, runner: &mut Process) -> anyhow::Result<()> {
        let status = runner.ended().with_context(|| self.complaint("runner"))?;
        if !status.success() {
            bail!("{} ({status})", self.complaint("runner"));
        }
        Ok(())
    }

    /// The turns that were asked for and not looked at yet.
    pub(crate) fn heard(&self) -> Vec<Asked> {
        self.heard.try_iter().collect()
    }

    fn complaint(&self, program: &str) -> String {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        format!("the {program} failed: {}", log.trim())
    }
}

fn sandbox() -> anyhow::Result<PackName> {
    PackName::new("sandbox").context("the name of the sandbox")
}
