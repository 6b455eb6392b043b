//! A run whose processes a test starts, kills and starts again by hand.

use crate::model::{Model, gateway};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::ids::PackName;
use sympozium_core::ipc::mailbox::{FolderWatch, make_folders};
use sympozium_core::ipc::{Folder, Layout};
use sympozium_core::run::{AgentResult, FolderMount, GatewayEndpoint, RunPlan, RunnerConfig, SandboxPlan};
use sympozium_core::testing::run_plan;
use sympozium_core::toolbox::ToolboxConfig;
use sympozium_llm::gateway::{Gateway, RunSocket};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that has to happen.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(DEADLINE, work).await;
    done.unwrap_or_else(|_| panic!("{what} takes longer than {DEADLINE:?}"))
}

pub(crate) struct ByHand {
    folder: tempfile::TempDir,
    pub(crate) plan: Arc<RunPlan>,
    pub(crate) model: Arc<Model>,
    gateway: Gateway,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl ByHand {
    /// A run with a sandbox, its gateway served, and nothing started.
    pub(crate) fn new(model: Arc<Model>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = run_plan("Do the task.");
        plan.sandbox = Some(SandboxPlan::default());
        let plan = Arc::new(plan);
        let (gateway, auth) = gateway(&model);
        auth.register("run", plan.clone());
        let bench = Self {
            folder,
            plan,
            model,
            gateway,
            stop: CancellationToken::new(),
            serving: JoinSet::new(),
        };
        bench.prepare();
        bench.serve()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.path("ipc"))
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path("workspace")
    }

    fn prepare(&self) {
        for name in ["workspace", "runner-state", "toolbox-state"] {
            std::fs::create_dir(self.path(name)).unwrap();
        }
        let sandbox = PackName::new("sandbox").unwrap();
        make_folders(&self.layout(), std::slice::from_ref(&sandbox)).unwrap();
        let workspace = self.workspace();
        let runner = RunnerConfig {
            gateway: GatewayEndpoint::Unix(self.path("g.sock")),
            ipc: self.path("ipc"),
            workspace: FolderMount {
                mount: "/workspace".into(),
                dir: workspace.clone(),
                read_only: false,
            },
            folders: vec![],
            skills: None,
            memory_file: None,
            state_dir: self.path("runner-state"),
            approval_wait_seconds: 60,
        };
        let toolbox = ToolboxConfig {
            tools_dir: self.layout().folder(&Folder::Tools(sandbox.clone())),
            approvals_dir: self.layout().folder(&Folder::ApprovalsOf(sandbox)),
            workspace,
            workspace_mount: "/workspace".into(),
            shell: "/bin/sh".into(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            gate: self.plan.tool_gate(),
            typed_tools: vec![],
            sole: true,
            state_dir: Some(self.path("toolbox-state")),
            commands: None,
            proxy: None,
        };
        std::fs::write(self.path("runner.json"), serde_json::to_vec(&runner).unwrap()).unwrap();
        std::fs::write(self.path("toolbox.json"), serde_json::to_vec(&toolbox).unwrap()).unwrap();
    }

    fn serve(mut self) -> Self {
        let socket = RunSocket::bind(&self.path("g.sock")).unwrap();
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        self.serving
            .spawn(async move { gateway.serve_socket(socket, "run", stop).await.unwrap() });
        self
    }

    fn command(&self, program: &str, config: &str) -> Command {
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(self.path(config))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn start(&self, program: &str, config: &str) -> Child {
        self.command(program, config).spawn().unwrap()
    }

    /// An executor that ends when its standard input does.
    pub(crate) fn start_bound_toolbox(&self) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_sympozium-toolbox"), "toolbox.json");
        command.arg("--end-with-stdin").stdin(Stdio::piped());
        command.spawn().unwrap()
    }

    pub(crate) fn start_runner(&self) -> Child {
        self.start(env!("CARGO_BIN_EXE_sympozium-runner"), "runner.json")
    }

    pub(crate) fn start_toolbox(&self) -> Child {
        self.start(env!("CARGO_BIN_EXE_sympozium-toolbox"), "toolbox.json")
    }

    /// Waits until that piece of the stream was written; false when the runner ended before.
    pub(crate) async fn streamed(&self, index: usize, runner: &mut Child) -> bool {
        let output = self.layout().folder(&Folder::Output);
        let piece = output.join(format!("stream-{index}.json"));
        let watch = FolderWatch::start(&output).unwrap();
        let look = async {
            while !piece.exists() {
                watch.changed().await;
            }
        };
        in_time("the stream", async {
            tokio::select! {
                () = look => true,
                _ = runner.wait() => piece.exists(),
            }
        })
        .await
    }

    /// What a file of the workspace holds, once there is something in it.
    pub(crate) async fn file(&self, name: &str) -> String {
        let watch = FolderWatch::start(&self.workspace()).unwrap();
        loop {
            match std::fs::read_to_string(self.workspace().join(name)) {
                Ok(text) if !text.is_empty() => return text,
                Ok(_) | Err(_) => watch.changed().await,
            }
        }
    }

    pub(crate) fn result(&self) -> AgentResult {
        serde_json::from_slice(&std::fs::read(self.layout().result()).unwrap()).unwrap()
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(served) = self.serving.join_next().await {
            served.unwrap();
        }
        self.gateway.drain().await;
    }
}

pub(crate) async fn kill(mut child: Child) {
    child.kill().await.unwrap();
}

/// Waits for its end and returns the exit code.
pub(crate) async fn exit_code(mut child: Child) -> Option<i32> {
    in_time("the program", child.wait()).await.unwrap().code()
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
