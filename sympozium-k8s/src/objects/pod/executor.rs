//! The containers in which commands run: one per pack that has commands, and the sandbox.

use super::arguments::{config, literal};
use super::shape::{Executor, Kind, Shape};
use super::{environment, limits, mounts, security};
use crate::objects::BuildError;
use k8s_openapi::api::core::v1::{Container, EnvVar};
use std::collections::BTreeMap;
use sympozium_core::run::ToolboxConfig;
use sympozium_core::run::pod_contract as at;
use sympozium_core::skill::Sidecar;

/// Where commands find programs, unless the pack's environment says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn container(shape: &Shape<'_>, executor: &Executor<'_>) -> Result<Container, BuildError> {
    let installation = shape.surroundings.installation;
    let (image, own) = match executor.kind {
        Kind::Skill(sidecar) => (&sidecar.image, Some(sidecar).filter(|s| !s.command.is_empty())),
        Kind::Sandbox(sandbox) => (
            sandbox.image.as_ref().unwrap_or(&installation.images.sandbox),
            None,
        ),
    };
    let (arguments, env) = match own {
        Some(sidecar) => own_command(executor, sidecar)?,
        None => serve(shape, executor)?,
    };
    Ok(Container {
        name: executor.container(),
        image: Some(image.clone()),
        image_pull_policy: Some(installation.pull_policy.as_str().to_owned()),
        command: Some(vec![at::TOOLBOX_PROGRAM.to_owned()]),
        args: Some(arguments),
        env: (!env.is_empty()).then_some(env),
        restart_policy: Some("Always".to_owned()),
        resources: Some(limits::executor(executor)),
        security_context: Some(security::container()),
        volume_mounts: Some(mounts::executor(shape, executor)),
        ..Container::default()
    })
}

/// The toolbox executes what comes, by rules that nobody can change: they are arguments of the container.
fn serve(shape: &Shape<'_>, executor: &Executor<'_>) -> Result<(Vec<String>, Vec<EnvVar>), BuildError> {
    let mut arguments = vec![at::SERVE.to_owned()];
    arguments.extend(config("an executor", &toolbox(shape, executor))?);
    Ok((arguments, Vec::new()))
}

/// A program of the image's own takes the requests. The toolbox stays its parent, so that the container ends in time.
fn own_command(executor: &Executor<'_>, sidecar: &Sidecar) -> Result<(Vec<String>, Vec<EnvVar>), BuildError> {
    let mut arguments = vec![at::WITH_TOKEN.to_owned(), "--".to_owned()];
    arguments.extend(sidecar.command.iter().map(|argument| literal(argument)));
    let mut given = everyday();
    given.extend(sidecar.env.clone());
    Ok((arguments, environment::variables(&executor.container(), &given)?))
}

fn toolbox(shape: &Shape<'_>, executor: &Executor<'_>) -> ToolboxConfig {
    let sidecar = match executor.kind {
        Kind::Skill(sidecar) => Some(sidecar),
        Kind::Sandbox(_) => None,
    };
    let workspace = if executor.sees_workspace() {
        at::WORKSPACE
    } else {
        at::WORK
    };
    ToolboxConfig {
        tools_dir: at::TOOLS.into(),
        approvals_dir: at::APPROVALS.into(),
        workspace: workspace.into(),
        workspace_mount: at::WORKSPACE.into(),
        shell: "/bin/sh".into(),
        env: commands_environment(executor, sidecar),
        gate: shape.plan.tool_gate(),
        typed_tools: sidecar.map(|sidecar| sidecar.tools.clone()).unwrap_or_default(),
        sole: true,
        state_dir: Some(at::STATE.into()),
        // The container is what commands can't leave.
        commands: None,
        proxy: executor.proxy.then(|| shape.gateway_access(at::EGRESS_TOKEN)),
    }
}

fn everyday() -> BTreeMap<String, String> {
    [
        ("PATH", PATH),
        ("LANG", "C.UTF-8"),
        ("HOME", at::TMP),
        ("TMPDIR", at::TMP),
        ("TERM", "dumb"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// The whole environment of commands: everyday things, the pack's, and where the API server is.
fn commands_environment(executor: &Executor<'_>, sidecar: Option<&Sidecar>) -> BTreeMap<String, String> {
    let mut env = everyday();
    env.extend(sidecar.map(|sidecar| sidecar.env.clone()).unwrap_or_default());
    if executor.rights {
        env.insert(
            "KUBERNETES_SERVICE_HOST".to_owned(),
            at::API_SERVER_HOST.to_owned(),
        );
        env.insert(
            "KUBERNETES_SERVICE_PORT".to_owned(),
            at::API_SERVER_PORT.to_string(),
        );
    }
    env
}
