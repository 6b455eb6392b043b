//! `execute_command`, and the typed tools of packs: both run in one of the run's executors.

use super::page::{MAX_COMMAND_OUTPUT, cut_middle};
use super::schema_check::misfit;
use super::surroundings::{CommandCall, CommandLine, CommandResult, Commands};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::ToolSpec;
use sympozium_core::gateway::TargetedTool;
use sympozium_core::ids::{InvalidId, PackName, ToolName, derived_id};
use sympozium_core::tool::{DynTool, ToolContext, ToolOutput};
use sympozium_core::toolbox::argv;
use uuid::Uuid;

/// Runs shell commands in the run's executors.
#[derive(Clone)]
pub struct ExecuteCommand {
    name: ToolName,
    targets: Vec<PackName>,
    commands: Arc<dyn Commands>,
}

const DEFAULT_TIMEOUT: u64 = 30;
const LONGEST_TIMEOUT: u64 = 120;

#[derive(Debug, Deserialize)]
struct ExecuteCommandArgs {
    command: String,
    workdir: Option<String>,
    timeout: Option<u64>,
    target: Option<String>,
}

impl ExecuteCommand {
    /// Its name for models.
    pub const NAME: &'static str = "execute_command";

    /// Runs commands in these targets. Without any the tool refuses everything: don't offer it then.
    pub fn new(targets: Vec<PackName>, commands: Arc<dyn Commands>) -> Result<Self, InvalidId> {
        Ok(Self {
            name: ToolName::new(Self::NAME)?,
            targets,
            commands,
        })
    }

    fn target(&self, wanted: Option<&str>) -> Result<&PackName, String> {
        let names = || {
            self.targets
                .iter()
                .map(PackName::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match (wanted, self.targets.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(format!(
                "Say where the command is to run: target must be one of {}.",
                names()
            )),
            (Some(wanted), all) => all
                .iter()
                .find(|target| target.as_str() == wanted)
                .ok_or_else(|| format!("There is no target {wanted}; it must be one of {}.", names())),
        }
    }

    /// What a call of it runs; the reason when it can't be run.
    pub(crate) fn call(&self, id: Uuid, arguments: Value) -> Result<CommandCall, String> {
        let args: ExecuteCommandArgs = serde_json::from_value(arguments)
            .map_err(|e| format!("The arguments do not fit the tool's schema: {e}."))?;
        if args.command.trim().is_empty() {
            return Err("The command is empty.".to_owned());
        }
        Ok(CommandCall {
            id,
            target: self.target(args.target.as_deref())?.clone(),
            tool: self.name.clone(),
            command: CommandLine::Shell(args.command),
            workdir: args.workdir,
            timeout: Duration::from_secs(args.timeout.unwrap_or(DEFAULT_TIMEOUT).clamp(1, LONGEST_TIMEOUT)),
        })
    }
}

impl fmt::Debug for ExecuteCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecuteCommand")
            .field("targets", &self.targets)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl DynTool for ExecuteCommand {
    fn spec(&self) -> ToolSpec {
        let targets: Vec<&str> = self.targets.iter().map(PackName::as_str).collect();
        let mut required = vec!["command"];
        if targets.len() > 1 {
            required.push("target");
        }
        ToolSpec {
            name: self.name.clone(),
            description: "Runs a shell command and returns what it prints. Every process it leaves behind is ended with it."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "required": required,
                "properties": {
                    "command": {"type": "string", "description": "The command, for a POSIX shell."},
                    "workdir": {"type": "string", "description": "The folder it starts in. Default: the workspace."},
                    "timeout": {
                        "type": "integer", "minimum": 1, "maximum": LONGEST_TIMEOUT,
                        "description": "Seconds until it is killed. Default 30.",
                    },
                    "target": {"type": "string", "enum": targets, "description": "Where it runs."},
                },
            }),
        }
    }

    async fn invoke(&self, ctx: &ToolContext, arguments: Value) -> ToolOutput {
        match self.call(derived_id(ctx.run, &ctx.step, ctx.index), arguments) {
            Ok(call) => carry_out(self.commands.as_ref(), &call, ctx).await,
            Err(why) => ToolOutput::error(why),
        }
    }
}

/// A pack's typed tool: a schema and a command line template, no shell.
#[derive(Clone)]
pub struct PackTool {
    tool: TargetedTool,
    commands: Arc<dyn Commands>,
}

impl PackTool {
    /// Runs the tool in its pack's executor.
    pub fn new(tool: TargetedTool, commands: Arc<dyn Commands>) -> Self {
        Self { tool, commands }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &ToolName {
        &self.tool.tool.name
    }

    /// What a call of it runs; the reason when it can't be run.
    pub(crate) fn call(&self, id: Uuid, arguments: Value) -> Result<CommandCall, String> {
        let tool = &self.tool.tool;
        let given = arguments
            .as_object()
            .ok_or("The arguments must be a JSON object.")?;
        if let Some(why) = misfit(&tool.parameters, given) {
            return Err(why);
        }
        let line = argv(tool, &arguments).map_err(|error| format!("Not run: {error}."))?;
        Ok(CommandCall {
            id,
            target: self.tool.target.clone(),
            tool: tool.name.clone(),
            command: CommandLine::Typed { arguments, line },
            workdir: None,
            timeout: Duration::from_secs(u64::from(tool.timeout_seconds).clamp(1, LONGEST_TIMEOUT)),
        })
    }
}

impl fmt::Debug for PackTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackTool")
            .field("tool", &self.tool)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl DynTool for PackTool {
    fn spec(&self) -> ToolSpec {
        let tool = &self.tool.tool;
        ToolSpec {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
        }
    }

    async fn invoke(&self, ctx: &ToolContext, arguments: Value) -> ToolOutput {
        match self.call(derived_id(ctx.run, &ctx.step, ctx.index), arguments) {
            Ok(call) => carry_out(self.commands.as_ref(), &call, ctx).await,
            Err(why) => ToolOutput::error(why),
        }
    }
}

async fn carry_out(commands: &dyn Commands, call: &CommandCall, ctx: &ToolContext) -> ToolOutput {
    match commands.run(call, &ctx.cancel).await {
        Ok(result) => shown(&result, call.timeout),
        Err(trouble) => ToolOutput::error(trouble.0),
    }
}

/// Standard output, then errors, then how it ended.
fn shown(result: &CommandResult, timeout: Duration) -> ToolOutput {
    let mut parts = Vec::new();
    if !result.stdout.is_empty() {
        parts.push(result.stdout.trim_end_matches('\n').to_owned());
    }
    if !result.stderr.is_empty() {
        parts.push(format!("STDERR: {}", result.stderr.trim_end_matches('\n')));
    }
    let output = cut_middle(&parts.join("\n"), MAX_COMMAND_OUTPUT);
    let end = if result.timed_out {
        Some(format!("[killed: it took longer than {} s]", timeout.as_secs()))
    } else if result.exit_code != 0 {
        Some(format!("[exit code {}]", result.exit_code))
    } else {
        None
    };
    let failed = end.is_some();
    let text = match (output.is_empty(), end) {
        (true, None) => "(no output)".to_owned(),
        (true, Some(end)) => end,
        (false, None) => output,
        (false, Some(end)) => format!("{output}\n{end}"),
    };
    ToolOutput {
        content: text,
        is_error: failed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::surroundings::Trouble;
    use super::*;
    use std::sync::Mutex;
    use sympozium_core::ids::{CallId, RunUid, StepId};
    use sympozium_core::skill::TypedTool;
    use tokio_util::sync::CancellationToken;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<CommandCall>>);

    #[async_trait]
    impl Commands for Recorder {
        async fn run(&self, call: &CommandCall, _: &CancellationToken) -> Result<CommandResult, Trouble> {
            self.0.lock().unwrap().push(call.clone());
            Ok(CommandResult {
                stdout: "out\n".to_owned(),
                ..CommandResult::default()
            })
        }
    }

    fn context() -> ToolContext {
        ToolContext {
            run: RunUid(uuid::Uuid::from_u128(1)),
            step: StepId::new("turn-1").unwrap(),
            index: 2,
            call: CallId::new("c").unwrap(),
            cancel: CancellationToken::new(),
        }
    }

    fn packs(names: &[&str]) -> Vec<PackName> {
        names.iter().map(|name| PackName::new(*name).unwrap()).collect()
    }

    async fn execute(targets: &[&str], arguments: Value) -> (ToolOutput, Option<CommandCall>) {
        let recorder = Arc::new(Recorder::default());
        let tool = ExecuteCommand::new(packs(targets), recorder.clone()).unwrap();
        let output = tool.invoke(&context(), arguments).await;
        let call = recorder.0.lock().unwrap().pop();
        (output, call)
    }

    #[tokio::test]
    async fn the_target_is_needed_when_there_are_several() {
        for (targets, arguments, expected) in [
            (&["a"][..], json!({"command": "ls"}), Ok("a")),
            (
                &["a", "sandbox"],
                json!({"command": "ls", "target": "sandbox"}),
                Ok("sandbox"),
            ),
            (
                &["a", "sandbox"],
                json!({"command": "ls"}),
                Err("Say where the command is to run: target must be one of a, sandbox."),
            ),
            (
                &["a"],
                json!({"command": "ls", "target": "b"}),
                Err("There is no target b; it must be one of a."),
            ),
            (&["a"], json!({"command": " "}), Err("The command is empty.")),
        ] {
            let (output, call) = execute(targets, arguments).await;
            let got = match &call {
                Some(call) => Ok(call.target.as_str()),
                None => Err(output.content.as_str()),
            };
            assert_eq!(got, expected);
        }
        let tool = ExecuteCommand::new(packs(&["a", "b"]), Arc::new(Recorder::default())).unwrap();
        assert_eq!(tool.spec().parameters["required"], json!(["command", "target"]));
    }

    #[tokio::test]
    async fn a_call_has_a_derived_id_and_a_bounded_timeout() {
        let (output, call) = execute(
            &["a"],
            json!({"command": "ls", "timeout": 9999, "workdir": "/workspace/x"}),
        )
        .await;
        assert_eq!(output, ToolOutput::text("out"));
        let context = context();
        assert_eq!(
            call.unwrap(),
            CommandCall {
                id: derived_id(context.run, &context.step, 2),
                target: PackName::new("a").unwrap(),
                tool: ToolName::new("execute_command").unwrap(),
                command: CommandLine::Shell("ls".to_owned()),
                workdir: Some("/workspace/x".to_owned()),
                timeout: Duration::from_mins(2),
            }
        );
    }

    #[tokio::test]
    async fn a_typed_tool_runs_its_template_without_a_shell_or_not_at_all() {
        let recorder = Arc::new(Recorder::default());
        let tool = PackTool::new(
            TargetedTool {
                target: PackName::new("k8s-ops").unwrap(),
                tool: TypedTool {
                    name: ToolName::new("get").unwrap(),
                    description: "Gets.".to_owned(),
                    parameters: json!({"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}),
                    argv: vec!["kubectl".to_owned(), "get".to_owned(), "{{kind}}".to_owned()],
                    timeout_seconds: 20,
                },
            },
            recorder.clone(),
        );
        tool.invoke(&context(), json!({"kind": "pods; id"})).await;
        let ran = recorder.0.lock().unwrap().pop().unwrap().command;
        assert_eq!(
            ran,
            CommandLine::Typed {
                arguments: json!({"kind": "pods; id"}),
                line: vec!["kubectl".into(), "get".into(), "pods; id".into()],
            }
        );
        for bad in [
            json!({}),
            json!({"kind": 1}),
            json!({"kind": "-A"}),
            json!({"kind": "pods", "x": 1}),
            json!(1),
        ] {
            assert!(tool.invoke(&context(), bad.clone()).await.is_error, "{bad}");
        }
        assert!(recorder.0.lock().unwrap().is_empty());
    }

    #[test]
    fn output_errors_and_end_are_told_in_this_order() {
        let result = |exit_code, stdout: &str, stderr: &str, timed_out| CommandResult {
            exit_code,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            timed_out,
        };
        for (result, text, is_error) in [
            (result(0, "", "", false), "(no output)", false),
            (result(0, "a\n", "w\n", false), "a\nSTDERR: w", false),
            (result(2, "", "bad", false), "STDERR: bad\n[exit code 2]", true),
            (
                result(124, "a", "", true),
                "a\n[killed: it took longer than 30 s]",
                true,
            ),
            (result(1, "", "", false), "[exit code 1]", true),
        ] {
            let output = shown(&result, Duration::from_secs(30));
            assert_eq!((output.content.as_str(), output.is_error), (text, is_error));
        }
    }
}
