//! The container of the bridge.

use super::environment::variable;
use super::shape::Shape;
use super::{limits, mounts, security};
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, ExecAction, Lifecycle, LifecycleHandler, ObjectFieldSelector,
};
use sympozium_core::run::pod_contract as at;

pub(super) fn container(shape: &Shape<'_>) -> Container {
    let installation = shape.surroundings.installation;
    Container {
        name: at::BRIDGE_CONTAINER.to_owned(),
        image: Some(installation.images.bridge.clone()),
        image_pull_policy: Some(installation.pull_policy.as_str().to_owned()),
        command: Some(vec![at::BRIDGE_PROGRAM.to_owned()]),
        args: Some(arguments(shape)),
        env: Some(environment(shape)),
        lifecycle: Some(installs_the_toolbox()),
        restart_policy: Some("Always".to_owned()),
        resources: Some(limits::bridge()),
        security_context: Some(security::container()),
        termination_message_policy: Some("File".to_owned()),
        volume_mounts: Some(mounts::bridge()),
        ..Container::default()
    }
}

fn arguments(shape: &Shape<'_>) -> Vec<String> {
    let plan = shape.plan;
    let bus = &shape.surroundings.installation.bus;
    let pairs = [
        (at::IPC_PATH, at::IPC.to_owned()),
        (at::NAMESPACE, plan.run.namespace.to_string()),
        (at::INSTANCE, plan.instance.name.to_string()),
        (at::AGENT_RUN_ID, plan.run.uid.to_string()),
        (at::RUN_NAME, plan.run.name.to_string()),
        (at::POD_UID, format!("$({})", at::POD_UID_VARIABLE)),
        (at::EVENT_BUS_URL, format!("tls://{}:{}", bus.host, bus.port)),
        (at::TOKEN_FILE, at::BUS_TOKEN.to_owned()),
        (at::CA_FILE, at::CA_CERTIFICATE.to_owned()),
    ];
    let executors = shape
        .executors
        .iter()
        .map(|executor| (at::EXECUTOR, executor.name.to_string()));
    pairs
        .into_iter()
        .chain(executors)
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

fn environment(shape: &Shape<'_>) -> Vec<EnvVar> {
    let pod_uid = EnvVar {
        name: at::POD_UID_VARIABLE.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: "metadata.uid".to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    };
    let message = shape.termination_message_bytes().to_string();
    vec![pod_uid, variable(at::TERMINATION_MESSAGE_BYTES, &message)]
}

/// The next container is started only after this has ended, so that the toolbox is there when it is needed. An init
/// container would do the same a second later.
fn installs_the_toolbox() -> Lifecycle {
    let command = [at::TOOLBOX_SOURCE, at::INSTALL, at::TOOLBOX_PROGRAM];
    Lifecycle {
        post_start: Some(LifecycleHandler {
            exec: Some(ExecAction {
                command: Some(command.map(str::to_owned).to_vec()),
            }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}
