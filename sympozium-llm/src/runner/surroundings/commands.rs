//! Commands in the run's executors: [`Executors`].

use crate::tools::{CommandCall, CommandLine, CommandResult, Commands, Trouble};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt::Write;
use sympozium_core::error::chain;
use sympozium_core::ids::PackName;
use sympozium_core::ipc::{ExecRequest, Folder, Layout};
use sympozium_core::toolbox::ExecClient;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The executors of a run. Each executes one command at a time, so each is asked for one at a time: a command's own time
/// begins when it is its turn.
#[derive(Debug)]
pub(crate) struct Executors {
    clients: BTreeMap<PackName, Mutex<ExecClient>>,
}

impl Executors {
    pub(crate) fn new(layout: &Layout, targets: &[PackName]) -> Self {
        let client = |target: &PackName| {
            let folder = layout.folder(&Folder::Tools(target.clone()));
            (target.clone(), Mutex::new(ExecClient::new(folder)))
        };
        Self {
            clients: targets.iter().map(client).collect(),
        }
    }
}

/// What an executor is asked for a call. What a person approves is the hash of exactly this.
pub(crate) fn exec_request(call: &CommandCall) -> ExecRequest {
    let mut request = ExecRequest::new(call.id.into());
    request.tool = Some(call.tool.clone());
    request.work_dir.clone_from(&call.workdir);
    request.timeout = u32::try_from(call.timeout.as_secs()).ok();
    match &call.command {
        CommandLine::Shell(command) => request.command.clone_from(command),
        CommandLine::Typed { arguments, .. } => request.arguments = Some(arguments.clone()),
    }
    request
}

#[async_trait]
impl Commands for Executors {
    async fn run(&self, call: &CommandCall, cancel: &CancellationToken) -> Result<CommandResult, Trouble> {
        let Some(client) = self.clients.get(&call.target) else {
            return Err(Trouble(format!("There is no target {}.", call.target)));
        };
        let client = tokio::select! {
            client = client.lock() => client,
            () = cancel.cancelled() => return Err(Trouble("Not run: the run is about to end.".to_owned())),
        };
        let result = client.execute(&exec_request(call), cancel).await;
        let result = result.map_err(|error| Trouble(format!("{}.", chain(&error))))?;
        if let Some(reason) = result.refused {
            return Err(Trouble(format!("Not run: {reason}")));
        }
        Ok(CommandResult {
            exit_code: result.exit_code,
            stdout: noted(result.stdout, result.stdout_cut),
            stderr: noted(result.stderr, result.stderr_cut),
            timed_out: result.timed_out,
        })
    }
}

/// An output, and how much of it was left out.
fn noted(mut output: String, cut: u64) -> String {
    if cut > 0 {
        // Writing to a text never fails.
        let _ = write!(
            output,
            "\n[cut: {cut} more bytes; write the output to a file and read it in pieces]"
        );
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;
    use sympozium_core::ids::ToolName;

    #[test]
    fn an_output_that_was_cut_says_so() {
        assert_eq!(noted("a".to_owned(), 0), "a");
        assert!(noted("a".to_owned(), 7).starts_with("a\n[cut: 7 more bytes"));
    }

    #[test]
    fn a_typed_tool_travels_as_arguments_and_a_shell_command_as_text() {
        let call = |command| CommandCall {
            id: uuid::Uuid::from_u128(1),
            target: PackName::new("p").unwrap(),
            tool: ToolName::new("t").unwrap(),
            command,
            workdir: Some("d".to_owned()),
            timeout: Duration::from_secs(7),
        };
        let form = |command| exec_request(&call(command)).approval_form();
        assert_eq!(
            form(CommandLine::Shell("ls".to_owned())),
            json!({"command": "ls", "workDir": "d", "timeout": 7, "tool": "t"})
        );
        let typed = CommandLine::Typed {
            arguments: json!({"a": 1}),
            line: vec!["x".to_owned()],
        };
        assert_eq!(
            form(typed),
            json!({"command": "", "workDir": "d", "timeout": 7, "tool": "t", "arguments": {"a": 1}})
        );
    }
}
