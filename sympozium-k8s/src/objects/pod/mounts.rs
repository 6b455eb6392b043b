//! What each container sees of the volumes.

use super::shape::{Executor, Shape};
use super::volumes::{Vol, with_documents};
use k8s_openapi::api::core::v1::VolumeMount;
use sympozium_core::ipc::Folder;
use sympozium_core::run::pod_contract as at;

#[derive(Debug, Clone, Copy)]
enum Access {
    ReadOnly,
    ReadWrite,
}

fn mount(vol: Vol<'_>, path: &str, access: Access) -> VolumeMount {
    VolumeMount {
        name: vol.name(),
        mount_path: path.to_owned(),
        read_only: match access {
            Access::ReadOnly => Some(true),
            Access::ReadWrite => None,
        },
        ..VolumeMount::default()
    }
}

fn part(vol: Vol<'_>, sub_path: String, path: &str, access: Access) -> VolumeMount {
    VolumeMount {
        sub_path: Some(sub_path),
        ..mount(vol, path, access)
    }
}

/// `/tmp` and `/state` of a container.
fn own(container: &str) -> [VolumeMount; 2] {
    ["tmp", "state"].map(|name| {
        part(
            Vol::Scratch,
            format!("{container}/{name}"),
            &format!("/{name}"),
            Access::ReadWrite,
        )
    })
}

fn documents(shape: &Shape<'_>) -> Vec<VolumeMount> {
    with_documents(shape)
        .map(|skill| {
            let pack = skill.pack.as_str();
            mount(
                Vol::Skill(pack),
                &format!("{}/{pack}", at::SKILLS),
                Access::ReadOnly,
            )
        })
        .collect()
}

/// The agent's folders of the mailbox: each a mount of its own, so that what it may only read stays so.
fn mailbox(shape: &Shape<'_>) -> Vec<VolumeMount> {
    let folder = |folder: &Folder, path: &str| {
        let access = if folder.agent_writes() {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        };
        part(Vol::Ipc, folder.path(), path, access)
    };
    let mut mounts: Vec<_> = Folder::COMMON
        .iter()
        .map(|one| folder(one, &format!("{}/{}", at::IPC, one.path())))
        .collect();
    match shape.executors.as_slice() {
        // Agents that are not ours know one folder for commands.
        [only] if shape.plan.agent.is_some() => {
            mounts.push(folder(&Folder::Tools(only.name.clone()), at::TOOLS));
        }
        executors => mounts.extend(executors.iter().map(|executor| {
            let tools = Folder::Tools(executor.name.clone());
            folder(&tools, &format!("{}/{}", at::IPC, tools.path()))
        })),
    }
    mounts
}

pub(super) fn agent(shape: &Shape<'_>) -> Vec<VolumeMount> {
    let mut mounts = mailbox(shape);
    mounts.push(mount(Vol::Workspace, at::WORKSPACE, Access::ReadWrite));
    mounts.extend(own(at::AGENT_CONTAINER));
    mounts.extend(documents(shape));
    if shape.plan.memory.is_some() {
        mounts.push(mount(Vol::Memory, at::MEMORY, Access::ReadOnly));
    }
    if shape.plan.agent.is_some() {
        mounts.push(mount(Vol::Programs, at::PROGRAMS, Access::ReadOnly));
    }
    mounts.push(mount(Vol::Ca, at::CA, Access::ReadOnly));
    mounts.push(mount(Vol::GatewayToken, at::GATEWAY_TOKEN_DIR, Access::ReadOnly));
    mounts
}

/// The bridge sees the mailbox as one mount: a file can't be renamed from one mount to another.
pub(super) fn bridge() -> Vec<VolumeMount> {
    let mut mounts = vec![
        mount(Vol::Ipc, at::IPC, Access::ReadWrite),
        mount(Vol::Programs, at::PROGRAMS, Access::ReadWrite),
    ];
    mounts.extend(own(at::BRIDGE_CONTAINER));
    mounts.push(mount(Vol::Ca, at::CA, Access::ReadOnly));
    mounts.push(mount(Vol::BusToken, at::BUS_TOKEN_DIR, Access::ReadOnly));
    mounts
}

pub(super) fn executor(shape: &Shape<'_>, executor: &Executor<'_>) -> Vec<VolumeMount> {
    let container = executor.container();
    let tools = Folder::Tools(executor.name.clone()).path();
    let approvals = Folder::ApprovalsOf(executor.name.clone()).path();
    let mut mounts = vec![
        part(Vol::Ipc, tools, at::TOOLS, Access::ReadWrite),
        part(Vol::Ipc, approvals, at::APPROVALS, Access::ReadOnly),
    ];
    mounts.push(if executor.sees_workspace() {
        mount(Vol::Workspace, at::WORKSPACE, Access::ReadWrite)
    } else {
        part(
            Vol::Scratch,
            format!("{container}/work"),
            at::WORK,
            Access::ReadWrite,
        )
    });
    mounts.extend(own(&container));
    mounts.extend(documents(shape));
    mounts.push(mount(Vol::Programs, at::PROGRAMS, Access::ReadOnly));
    if executor.proxy {
        mounts.push(mount(Vol::Ca, at::CA, Access::ReadOnly));
        let token = Vol::EgressToken(executor.name.as_str());
        mounts.push(mount(token, at::EGRESS_TOKEN_DIR, Access::ReadOnly));
    }
    if executor.rights {
        mounts.push(mount(Vol::ApiToken, at::API_TOKEN_DIR, Access::ReadOnly));
    }
    mounts
}
