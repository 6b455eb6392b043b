//! What the containers of a run's pod agree on: names, paths, arguments and environment.
//!
//! Written by the pod builder, read by runner, bridge and toolbox. Pure data, so that neither side needs the other.
//!
//! | Container | Command line |
//! | --- | --- |
//! | `agent`, our runner | `/sympozium-runner --config-json PART [--config-json PART…]` |
//! | `agent`, a foreign image | `/opt/sympozium/bin/toolbox with-token --gateway-url URL --token-file FILE --ca-file FILE --timeout-seconds N -- COMMAND…` |
//! | `ipc-bridge` | `/sympozium-ipc-bridge --ipc-path /ipc --namespace NS --instance I --agent-run-id UID --run-name NAME --pod-uid UID --event-bus-url tls://HOST:PORT --token-file FILE --ca-file FILE [--executor PACK…]` |
//! | `ipc-bridge`, `postStart` | `/toolbox install /opt/sympozium/bin/toolbox` |
//! | `skill-<pack>`, `sandbox` | `/opt/sympozium/bin/toolbox serve --config-json PART [--config-json PART…]` |
//! | `skill-<pack>` with a command of its own | `/opt/sympozium/bin/toolbox with-token -- COMMAND…` |
//!
//! The configuration is a [`RunnerConfig`](super::RunnerConfig) or [`ToolboxConfig`](super::ToolboxConfig) as JSON, cut
//! into parts of at most [`MAX_ARGUMENT`] bytes that are put together in their order: the kernel takes no longer argument.
//! No part holds a `$`, which Kubernetes would read as the name of a variable.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use url::Url;

/// The container of the agent.
pub const AGENT_CONTAINER: &str = "agent";
/// The container of the bridge.
pub const BRIDGE_CONTAINER: &str = "ipc-bridge";
/// The container of the sandbox, and the name by which `/ipc` and `execute_command` know it.
pub const SANDBOX: &str = "sandbox";
/// What stands before a pack's name in the name of its container.
pub const SKILL_CONTAINER_PREFIX: &str = "skill-";

/// The agent's program in its image.
pub const RUNNER_PROGRAM: &str = "/sympozium-runner";
/// The bridge's program in its image.
pub const BRIDGE_PROGRAM: &str = "/sympozium-ipc-bridge";
/// The toolbox in the bridge's image, from where it is installed.
pub const TOOLBOX_SOURCE: &str = "/toolbox";
/// The folder that all containers see and only the bridge writes.
pub const PROGRAMS: &str = "/opt/sympozium/bin";
/// The toolbox where it is installed.
pub const TOOLBOX_PROGRAM: &str = "/opt/sympozium/bin/toolbox";

/// Subcommand of the toolbox: copies its own program to the path behind it, whole or not at all. May be repeated.
pub const INSTALL: &str = "install";
/// Subcommand of the toolbox: the executor of requests.
pub const SERVE: &str = "serve";
/// Subcommand of the toolbox: starts the command behind `--` as a child, ends with its exit code, and kills all below it
/// within 5 s of SIGTERM. With `--token-file` it hands it the gateway's token as an OpenAI key.
pub const WITH_TOKEN: &str = "with-token";

/// A part of the configuration, as JSON; may be repeated.
pub const CONFIG_JSON: &str = "--config-json";
/// The gateway's address.
pub const GATEWAY_URL: &str = "--gateway-url";
/// The file with the bearer token. Read again for each connection: it is renewed.
pub const TOKEN_FILE: &str = "--token-file";
/// The file with the certificates to trust, and no others.
pub const CA_FILE: &str = "--ca-file";
/// Seconds until the agent is ended, from its start.
pub const TIMEOUT_SECONDS: &str = "--timeout-seconds";
/// The mailbox's root.
pub const IPC_PATH: &str = "--ipc-path";
/// The run's namespace.
pub const NAMESPACE: &str = "--namespace";
/// The run's instance.
pub const INSTANCE: &str = "--instance";
/// The run's UID, by which everything is keyed.
pub const AGENT_RUN_ID: &str = "--agent-run-id";
/// The run's name, for people.
pub const RUN_NAME: &str = "--run-name";
/// The pod's UID, by which inboxes on the bus are named.
pub const POD_UID: &str = "--pod-uid";
/// The bus's address: `tls://HOST:PORT`.
pub const EVENT_BUS_URL: &str = "--event-bus-url";
/// An executor (pack, or `sandbox`) whose folders the bridge makes and follows; may be repeated.
pub const EXECUTOR: &str = "--executor";

/// The most bytes of one argument: the kernel takes less than 131,072 (`MAX_ARG_STRLEN`).
pub const MAX_ARGUMENT: usize = 96 * 1024;

/// Environment: the most bytes that the container's termination message may have. Of agent and bridge.
///
/// The kubelet cuts longer ones blindly. It is the smaller one of 4096 and 12,288 ÷ number of containers, init containers
/// counted.
pub const TERMINATION_MESSAGE_BYTES: &str = "SYMPOZIUM_TERMINATION_MESSAGE_BYTES";
/// Where a termination message is written.
pub const TERMINATION_MESSAGE: &str = "/dev/termination-log";
/// Environment of the bridge: its pod's UID. Only there so that Kubernetes puts it into the arguments.
pub const POD_UID_VARIABLE: &str = "SYMPOZIUM_POD_UID";

/// The mailbox. The bridge sees all of it, the others see their folders.
pub const IPC: &str = "/ipc";
/// Where an executor finds its requests: its `tools/<pack>`.
pub const TOOLS: &str = "/ipc/tools";
/// Where an executor finds people's answers: its `approvals/<pack>`.
pub const APPROVALS: &str = "/ipc/approvals";
/// The run's workspace.
pub const WORKSPACE: &str = "/workspace";
/// The folder of an executor that does not see the workspace.
pub const WORK: &str = "/work";
/// The skills' documents, `<pack>/<name>.md`.
pub const SKILLS: &str = "/skills";
/// The folder of the instance's memory. Only the agent sees it.
pub const MEMORY: &str = "/memory";
/// The instance's memory. It may be missing.
pub const MEMORY_FILE: &str = "/memory/MEMORY.md";
/// What a container keeps to go on after it was killed; each has its own.
pub const STATE: &str = "/state";
/// Each container's own.
pub const TMP: &str = "/tmp";

/// The folder with our own certificate authority.
pub const CA: &str = "/etc/sympozium/ca";
/// Our own certificate authority.
pub const CA_CERTIFICATE: &str = "/etc/sympozium/ca/ca.crt";
/// Folder of the agent's token, and its file.
pub const GATEWAY_TOKEN_DIR: &str = "/var/run/secrets/sympozium/gateway";
/// The agent's token.
pub const GATEWAY_TOKEN: &str = "/var/run/secrets/sympozium/gateway/token";
/// Folder of the bridge's token.
pub const BUS_TOKEN_DIR: &str = "/var/run/secrets/sympozium/bus";
/// The bridge's token.
pub const BUS_TOKEN: &str = "/var/run/secrets/sympozium/bus/token";
/// Folder of a skill's token for the gateway's proxy.
pub const EGRESS_TOKEN_DIR: &str = "/var/run/secrets/sympozium/egress";
/// A skill's token for the gateway's proxy.
pub const EGRESS_TOKEN: &str = "/var/run/secrets/sympozium/egress/token";
/// Folder of a skill's token for the API server: `token`, `namespace`, and `ca.crt` with the cluster's authority and ours.
pub const API_TOKEN_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Audience of the agent's token.
pub const GATEWAY_AUDIENCE: &str = "sympozium-gateway";
/// Audience of the bridge's token.
pub const BUS_AUDIENCE: &str = "sympozium-bus";
/// What stands before a pack's name in the audience of its token for the gateway's proxy.
pub const EGRESS_AUDIENCE_PREFIX: &str = "sympozium-egress/";

/// How commands in a pod know the API server. There is no DNS in the pod: the gateway's proxy resolves it.
pub const API_SERVER_HOST: &str = "kubernetes.default.svc";
/// Its port.
pub const API_SERVER_PORT: u16 = 443;

/// How a container of a pod reaches the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayAccess {
    /// Its address: `https://HOST:PORT`.
    pub url: Url,
    /// The file with the container's own bearer token. It is renewed while the run lasts.
    pub token_file: PathBuf,
    /// The file with the certificates to trust, and no others.
    pub ca_file: PathBuf,
}
