//! The executor's loop.

use super::command::{Job, execute};
use super::gate;
use super::proxy::{Proxy, ProxyError, no_way_out};
use super::record::Record;
use super::results::Results;
use super::spawner::{Spawner, SpawnerError};
use crate::error::{Classify, Retry, chain};
use crate::ipc::mailbox::{Inbox, InboxConfig, Item, MailboxError, OpenFolder, read_whole};
use crate::ipc::{ApprovalDecision, ExecRequest, ExecResult, FileId};
use crate::run::{ToolboxConfig, pod_contract};
use std::{
    fmt::Display,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The longest that a command may take, in seconds.
const MAX_TIMEOUT: u32 = 120;
/// The largest answer of a person that is read, in bytes.
const MAX_APPROVAL: u64 = 1 << 20;
/// How long a command may take when the request does not say, in seconds.
const DEFAULT_TIMEOUT: u32 = 30;

/// Why an executor ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolboxError {
    /// Its folders can't be used.
    #[error("use the executor's folders")]
    Mailbox(#[from] MailboxError),
    /// Its commands can't be let out as they should be.
    #[error("make ready to let commands out")]
    Proxy(#[from] ProxyError),
    /// It can't start commands as it is told to.
    #[error("make ready for commands")]
    Spawner(#[from] SpawnerError),
}

impl Classify for ToolboxError {
    fn retry(&self) -> Retry {
        match self {
            Self::Mailbox(error) => error.retry(),
            Self::Proxy(error) => error.retry(),
            Self::Spawner(SpawnerError::Thread(_)) => Retry::Backoff,
            Self::Spawner(SpawnerError::Confine(error)) => error.retry(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Mailbox(error) => error.kind(),
            Self::Proxy(error) => error.kind(),
            Self::Spawner(SpawnerError::Thread(_)) => "thread",
            Self::Spawner(SpawnerError::Confine(error)) => error.kind(),
        }
    }
}

/// An executor.
#[derive(Debug)]
pub struct Toolbox {
    config: ToolboxConfig,
    tmp: PathBuf,
    records: bool,
}

/// What an executor works with.
struct Tools {
    spawner: Spawner,
    results: Results,
    proxy: Option<Proxy>,
    record: Option<Record>,
    cancel: CancellationToken,
}

impl Toolbox {
    /// An executor of that configuration.
    pub fn new(config: ToolboxConfig) -> Self {
        Self {
            config,
            tmp: pod_contract::TMP.into(),
            records: false,
        }
    }

    /// Keeps copies of requests and results beside them, for a bridge to send. As long as too many lie there, the next
    /// command waits.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.records = true;
        self
    }

    /// Where it writes down whom its commands trust. Default `/tmp`.
    #[must_use]
    pub fn with_tmp(mut self, tmp: impl Into<PathBuf>) -> Self {
        self.tmp = tmp.into();
        self
    }

    /// Executes requests, one at a time, until it is cancelled. Ends early only when its folders can't be used, or
    /// when commands can't be restricted or let out as they should be.
    pub async fn run(self, cancel: CancellationToken) -> Result<(), ToolboxError> {
        let mut tools = self.tools(cancel.clone()).await?;
        let config = InboxConfig::of("exec-request-");
        let mut inbox = Inbox::<ExecRequest>::open(&self.config.tools_dir, config)?;
        loop {
            let item = tokio::select! {
                item = inbox.next() => item,
                () = cancel.cancelled() => return Ok(()),
            };
            match item {
                Ok(item) => {
                    let folder = inbox.folder().clone();
                    self.handle(item, &folder, &mut tools).await?;
                }
                // It was set aside, and whoever wrote it will see its time run out.
                Err(MailboxError::Rejected { name, reason }) => {
                    tracing::warn!(name, reason, "request set aside");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn tools(&self, cancel: CancellationToken) -> Result<Tools, ToolboxError> {
        let config = &self.config;
        let open = |access| Proxy::open(access, &self.tmp);
        Ok(Tools {
            spawner: Spawner::start(config.commands.clone()).await?,
            results: Results::open(config.state_dir.clone())?,
            proxy: config.proxy.clone().map(open).transpose()?,
            record: self
                .records
                .then(|| Record::open(&config.tools_dir))
                .transpose()?,
            cancel,
        })
    }

    async fn handle(
        &self,
        item: Item<ExecRequest>,
        folder: &OpenFolder,
        tools: &mut Tools,
    ) -> Result<(), MailboxError> {
        if item.name != format!("exec-request-{}.json", item.value.id) {
            tracing::warn!(name = item.name, id = %item.value.id, "request under another name than its id");
            return item.done();
        }
        if let Some(record) = &tools.record {
            record.wait_for_room(&tools.cancel).await;
        }
        let item = match item.claim() {
            Ok(item) => item,
            // Whoever asked has given up and taken the request back.
            Err(MailboxError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let request = &item.value;
        let result = if let Some(known) = tools.results.find(&request.id) {
            known.clone()
        } else {
            if let Some(record) = &tools.record {
                record.request(&request.id, &item.bytes);
            }
            tools.results.begin(&request.id)?;
            let result = self.execute(request, tools).await;
            tools.results.keep(result.clone())?;
            result
        };
        if let Some(record) = &tools.record {
            // Also of a command that a former process has executed: it may have been ended before this.
            record.result(&result);
        }
        let name = format!("exec-result-{}.json", request.id);
        folder.write_json(&name, &result)?;
        item.done()
    }

    async fn execute(&self, request: &ExecRequest, tools: &Tools) -> ExecResult {
        match self.prepare(request, tools.proxy.as_ref()) {
            Err(refusal) => refused(&request.id, refusal),
            Ok(job) => execute(job, &tools.spawner, &tools.cancel)
                .await
                .unwrap_or_else(|error| {
                    refused(&request.id, format!("The command could not be started: {error}."))
                }),
        }
    }

    fn prepare<'a>(&'a self, request: &'a ExecRequest, proxy: Option<&Proxy>) -> Result<Job<'a>, String> {
        let approval = self.approval(&request.id)?;
        gate::check(&self.config.gate, request, approval.as_ref())?;
        let (line, default) = self.line(request)?;
        let dir = self.dir(request.work_dir.as_deref())?;
        let seconds = request.timeout.unwrap_or(default).clamp(1, MAX_TIMEOUT);
        let timeout = Duration::from_secs(u64::from(seconds));
        let way_out = proxy.map(Proxy::way_out).transpose();
        Ok(Job {
            request,
            line,
            dir,
            env: &self.config.env,
            way_out: way_out.map_err(|error| no_way_out(&error))?,
            timeout,
            sole: self.config.sole,
        })
    }

    fn approval(&self, id: &FileId) -> Result<Option<ApprovalDecision>, String> {
        let path = self.config.approvals_dir.join(format!("{id}.json"));
        let unreadable = |error: &dyn Display| format!("The approval is not readable: {error}.");
        let read = read_whole(&path, MAX_APPROVAL).map_err(|error| unreadable(&chain(&error)))?;
        read.map(|bytes| serde_json::from_slice(&bytes).map_err(|error| unreadable(&error)))
            .transpose()
    }

    /// The command line, and its timeout when the request does not say.
    fn line(&self, request: &ExecRequest) -> Result<(Vec<String>, u32), String> {
        let tool = gate::tool_of(request).ok_or_else(|| "The request names no usable tool.".to_owned())?;
        if let Some(typed) = self.config.typed_tools.iter().find(|typed| typed.name == tool) {
            let arguments = request
                .arguments
                .as_ref()
                .ok_or_else(|| format!("The tool {tool} needs arguments."))?;
            let line = super::argv(typed, arguments).map_err(|error| format!("{}.", chain(&error)))?;
            return Ok((line, typed.timeout_seconds));
        }
        if tool.as_str() != "execute_command" {
            return Err(format!("This executor has no tool {tool}."));
        }
        if request.command.is_empty() || request.command.contains('\0') {
            return Err("The command is empty or holds a NUL.".to_owned());
        }
        let shell = self.config.shell.display().to_string();
        let line = if request.args.is_empty() {
            vec![shell, "-c".to_owned(), request.command.clone()]
        } else {
            std::iter::once(&request.command)
                .chain(&request.args)
                .cloned()
                .collect()
        };
        Ok((line, DEFAULT_TIMEOUT))
    }

    /// A folder below the workspace. The shell can go anywhere that its container lets it; this only finds mistakes.
    fn dir(&self, wanted: Option<&str>) -> Result<PathBuf, String> {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
            return Ok(self.config.workspace.clone());
        };
        let below = Path::new(wanted);
        let below = below.strip_prefix(&self.config.workspace_mount).unwrap_or(below);
        let dir = self.config.workspace.join(below);
        let inside = dir
            .canonicalize()
            .ok()
            .zip(self.config.workspace.canonicalize().ok());
        match inside {
            Some((dir, workspace)) if dir.starts_with(&workspace) && dir.is_dir() => Ok(dir),
            Some(_) | None => Err(format!(
                "There is no folder {wanted} below {}.",
                self.config.workspace_mount.display()
            )),
        }
    }
}

pub(super) fn refused(id: &FileId, reason: String) -> ExecResult {
    ExecResult {
        id: id.clone(),
        exit_code: 126,
        stdout: String::new(),
        stderr: String::new(),
        timed_out: false,
        stdout_cut: 0,
        stderr_cut: 0,
        refused: Some(reason),
    }
}
