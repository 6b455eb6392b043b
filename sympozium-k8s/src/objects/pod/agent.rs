//! The container of the agent.

use super::agent_environment;
use super::arguments::{config, literal};
use super::shape::Shape;
use super::volumes::with_documents;
use super::{limits, mounts, security};
use crate::objects::BuildError;
use k8s_openapi::api::core::v1::Container;
use serde::Serialize;
use std::path::PathBuf;
use sympozium_core::run::pod_contract::{self as at, GatewayAccess};
use sympozium_core::run::{FolderMount, ForeignAgent, RunnerConfig};

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

/// The configuration of our agent, in the wire form of [`RunnerConfig`].
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Runner {
    gateway: Gateway,
    ipc: PathBuf,
    workspace: FolderMount,
    folders: Vec<FolderMount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skills: Option<FolderMount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_file: Option<PathBuf>,
    state_dir: PathBuf,
    approval_wait_seconds: u64,
}

/// A gateway that knows the run by a token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Gateway {
    Tls(GatewayAccess),
}

fn runner(shape: &Shape<'_>) -> Runner {
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
    Runner {
        gateway: Gateway::Tls(shape.gateway_access(at::GATEWAY_TOKEN)),
        ipc: at::IPC.into(),
        workspace: folder(at::WORKSPACE, false),
        folders: vec![folder(at::TMP, false)],
        skills: with_documents(shape).next().map(|_| folder(at::SKILLS, true)),
        memory_file: shape.plan.memory.map(|_| at::MEMORY_FILE.into()),
        state_dir: at::STATE.into(),
        approval_wait_seconds: wait.as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_configuration_is_one_that_a_runner_reads() {
        let folder = |path: &str| FolderMount {
            mount: path.into(),
            dir: path.into(),
            read_only: true,
        };
        let written = Runner {
            gateway: Gateway::Tls(GatewayAccess {
                url: "https://gateway:8443".parse().unwrap(),
                token_file: at::GATEWAY_TOKEN.into(),
                ca_file: at::CA_CERTIFICATE.into(),
            }),
            ipc: at::IPC.into(),
            workspace: folder(at::WORKSPACE),
            folders: vec![folder(at::TMP)],
            skills: Some(folder(at::SKILLS)),
            memory_file: Some(at::MEMORY_FILE.into()),
            state_dir: at::STATE.into(),
            approval_wait_seconds: 7,
        };
        let mut value = serde_json::to_value(&written).unwrap();
        assert_eq!(value["gateway"]["tls"]["tokenFile"], at::GATEWAY_TOKEN);
        // Everything but the gateway is read as a runner without a network does.
        value["gateway"] = json!({"unix": "/g.sock"});
        let read: RunnerConfig = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), value);
    }
}
