//! The container of the agent.

use super::agent_environment;
use super::arguments::{config, literal};
use super::shape::Shape;
use super::volumes::with_documents;
use super::{limits, mounts, security};
use crate::objects::BuildError;
use k8s_openapi::api::core::v1::Container;
use sympozium_core::run::pod_contract as at;
use sympozium_core::run::{FolderMount, ForeignAgent, GatewayEndpoint, RunnerConfig};

pub(super) fn container(shape: &Shape<'_>) -> Result<Container, BuildError> {
    let installation = shape.surroundings.installation;
    let (image, command, arguments) = match &shape.plan.agent {
        None => (
            &installation.images.runner,
            at::RUNNER_PROGRAM,
            config("the agent", &runner(shape))?,
        ),
        Some(agent) => (&agent.image, at::TOOLBOX_PROGRAM, foreign(shape, agent)?),
    };
    // Of a foreign agent that fails without a word the end of its log is better than nothing.
    let message = if shape.plan.agent.is_some() {
        "FallbackToLogsOnError"
    } else {
        "File"
    };
    Ok(Container {
        name: at::AGENT_CONTAINER.to_owned(),
        image: Some(image.clone()),
        image_pull_policy: Some(installation.pull_policy.as_str().to_owned()),
        command: Some(vec![command.to_owned()]),
        args: Some(arguments),
        env: Some(agent_environment::environment(shape)?),
        resources: Some(limits::agent()),
        security_context: Some(security::container()),
        termination_message_policy: Some(message.to_owned()),
        volume_mounts: Some(mounts::agent(shape)),
        ..Container::default()
    })
}

/// A program that is not ours: the toolbox hands it its key, ends it in time, and stays its parent.
fn foreign(shape: &Shape<'_>, agent: &ForeignAgent) -> Result<Vec<String>, BuildError> {
    if agent.command.is_empty() {
        return Err(BuildError::NoCommand);
    }
    let timeout = shape.plan.limits.timeout.as_secs().max(1);
    let options = [
        (at::GATEWAY_URL, shape.gateway_url().to_string()),
        (at::TOKEN_FILE, at::GATEWAY_TOKEN.to_owned()),
        (at::CA_FILE, at::CA_CERTIFICATE.to_owned()),
        (at::TIMEOUT_SECONDS, timeout.to_string()),
    ];
    let mut arguments = vec![at::WITH_TOKEN.to_owned()];
    arguments.extend(
        options
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]),
    );
    arguments.push("--".to_owned());
    let theirs = agent.command.iter().chain(&agent.args);
    arguments.extend(theirs.map(|argument| literal(argument)));
    Ok(arguments)
}

fn runner(shape: &Shape<'_>) -> RunnerConfig {
    let folder = |path: &str, read_only| FolderMount {
        mount: path.into(),
        dir: path.into(),
        read_only,
    };
    let wait = shape.surroundings.instance.approval_wait;
    let wait = if wait.is_zero() {
        RunnerConfig::APPROVAL_WAIT
    } else {
        wait
    };
    RunnerConfig {
        gateway: GatewayEndpoint::Tls(shape.gateway_access(at::GATEWAY_TOKEN)),
        ipc: at::IPC.into(),
        workspace: folder(at::WORKSPACE, false),
        folders: vec![folder(at::TMP, false)],
        skills: with_documents(shape).next().map(|_| folder(at::SKILLS, true)),
        memory_file: shape.plan.memory.map(|_| at::MEMORY_FILE.into()),
        state_dir: at::STATE.into(),
        approval_wait_seconds: wait.as_secs(),
    }
}
