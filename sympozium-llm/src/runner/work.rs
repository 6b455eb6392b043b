//! One run, from its input to its result: [`run`].

use super::approver::MailboxApprover;
use super::finish::leave;
use super::given_files::{read_memory, read_skills};
use super::journal::FileJournal;
use super::stream::{StreamObserver, StreamWriter};
use super::surroundings::{Executors, JailedFiles, MailboxLetters};
use super::{GatewayClient, GatewayError, RunnerExit};
use crate::agent::prompt::{PromptFacts, SkillText, system_prompt, task_message};
use crate::agent::{Agent, AgentLimits, Failure, FailureClass, Finished, Gate};
use crate::tools::{Commands, Surroundings, tool_set};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::error::chain;
use sympozium_core::gateway::{ProblemKind, RunInput};
use sympozium_core::ids::ToolName;
use sympozium_core::ipc::Layout;
use sympozium_core::run::{AgentResult, ResultMetrics, ResultStatus, RunnerConfig};
use sympozium_core::tool::ToolSet;
use tokio_util::sync::CancellationToken;

/// Carries out one run: asks the gateway what to do, works, leaves the result.
///
/// Every end leaves a result, also when the agent never started. Called again with the same configuration after it was
/// killed, it goes the same way: recorded model turns are replayed by the gateway, and calls that were answered get the
/// same answers.
pub async fn run(config: RunnerConfig, cancel: CancellationToken) -> RunnerExit {
    let layout = Layout::new(&config.ipc);
    let (result, class) = match prepare_and_work(&config, &layout, &cancel).await {
        Ok(finished) => (finished.result(), finished.failure_class()),
        Err(failure) => (without_work(&failure), Some(failure.class)),
    };
    match leave(&result, &layout) {
        Ok(()) => class.into(),
        Err(error) => {
            tracing::error!(error = chain(&error), "the result could not be written");
            RunnerExit::AgentError
        }
    }
}

fn without_work(failure: &Failure) -> AgentResult {
    AgentResult {
        status: ResultStatus::Error,
        response: String::new(),
        error: Some(failure.message.clone()),
        metrics: ResultMetrics::default(),
        limit: None,
    }
}

/// Something that the run was given can't be used.
fn bad_input(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(FailureClass::Input, chain(error))
}

async fn prepare_and_work(
    config: &RunnerConfig,
    layout: &Layout,
    cancel: &CancellationToken,
) -> Result<Finished, Failure> {
    let gateway = GatewayClient::new(config.gateway.clone());
    let input = tokio::select! {
        input = gateway.run_input() => input.map_err(|error| unanswered(&error))?,
        () = cancel.cancelled() => return Err(Failure::new(FailureClass::Cancelled, "the run was cancelled")),
    };
    let observer = StreamObserver::default();
    let writer = StreamWriter::start(&observer, layout, config.state_dir.clone());
    let writer = writer.map_err(|error| bad_input(&error))?;
    let prepared = prepare(config, layout, &input, gateway);
    let finished = match prepared {
        Ok((agent, task)) => {
            let agent = agent.observer(Arc::new(observer));
            Ok(agent.work(vec![task], cancel).await)
        }
        Err(failure) => Err(failure),
    };
    writer.finish().await;
    finished
}

fn unanswered(error: &GatewayError) -> Failure {
    let class = match error {
        GatewayError::Problem(problem) if problem.kind == ProblemKind::BadRequest => FailureClass::Input,
        error if error.is_refusal() => FailureClass::Refused,
        _ => FailureClass::Agent,
    };
    Failure::new(class, chain(error))
}

fn prepare(
    config: &RunnerConfig,
    layout: &Layout,
    input: &RunInput,
    gateway: GatewayClient,
) -> Result<(Agent, sympozium_core::chat::Message), Failure> {
    let memory = match (&config.memory_file, input.memory_max_bytes) {
        (Some(file), Some(_)) => read_memory(file).map_err(|error| bad_input(&error))?,
        (_, None) | (None, _) => None,
    };
    let skills = match &config.skills {
        Some(folder) => read_skills(&folder.dir).map_err(|error| bad_input(&error))?,
        None => Vec::new(),
    };
    let commands: Arc<dyn Commands> = Arc::new(Executors::new(layout, &input.targets));
    let files = JailedFiles::open(config).map_err(|error| bad_input(&error))?;
    let with = Surroundings {
        files: Arc::new(files),
        commands: Arc::clone(&commands),
        letters: Arc::new(MailboxLetters::new(layout.clone())),
        gateway: gateway.clone(),
    };
    let tools = tool_set(input, &with).map_err(|error| bad_input(&error))?;
    let approver = MailboxApprover::new(layout.clone(), config.approval_wait(), input, &commands);
    let approver = approver.map_err(|error| bad_input(&error))?;
    let gate = Gate::new(input.gate.clone(), Arc::new(approver));
    let prompt = prompt(config, input, &skills, &offered(&tools, &gate));
    let agent = Agent::new(Arc::new(gateway))
        .tools(tools)
        .gate(gate)
        .system(prompt)
        .limits(limits(input))
        .run_uid(input.run.uid)
        .journal(Arc::new(FileJournal::new(config.state_dir.clone())));
    Ok((agent, task_message(&input.task, memory.as_deref())))
}

/// The tools that the model is told about.
fn offered(tools: &ToolSet, gate: &Gate) -> Vec<ToolName> {
    tools.names().filter(|name| gate.offers(name)).cloned().collect()
}

fn limits(input: &RunInput) -> AgentLimits {
    AgentLimits {
        max_turns: input.max_turns,
        timeout: Duration::from_millis(input.remaining_ms),
        context_window: input.context_window,
        history_bytes: input.history.bytes,
        ..AgentLimits::default()
    }
}

fn prompt(config: &RunnerConfig, input: &RunInput, skills: &[SkillText], tools: &[ToolName]) -> String {
    let workspace = config.workspace.mount.display().to_string();
    let skills_dir = config
        .skills
        .as_ref()
        .map(|skills| skills.mount.display().to_string());
    system_prompt(&PromptFacts {
        author: input.system_prompt.as_deref(),
        workspace: Some(&workspace),
        skills_dir: skills_dir.as_deref(),
        skills,
        tools,
        targets: &input.targets,
        reply_to: input.reply_to.as_ref(),
        memory_max_bytes: input.memory_max_bytes,
    })
}
