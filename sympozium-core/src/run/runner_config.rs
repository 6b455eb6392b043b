//! What a runner is started with: where things are. What it is to do comes from the gateway.

use super::pod_contract::GatewayAccess;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Where a run's gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GatewayEndpoint {
    /// A socket that only this run sees.
    Unix(PathBuf),
    /// A server that knows the run by a token. Token and certificates are read again whenever they are needed, because
    /// both are renewed while a run lasts.
    Tls(GatewayAccess),
}

/// A folder that file tools may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FolderMount {
    /// The path by which models know it, such as `/workspace`.
    pub mount: PathBuf,
    /// Where it is. Absolute.
    pub dir: PathBuf,
    /// True when it may only be read.
    pub read_only: bool,
}

/// Everything that a runner is told by who starts it. Holds no secret, so it may travel as a file or an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunnerConfig {
    /// Whom to ask for the run's input and for model turns.
    pub gateway: GatewayEndpoint,
    /// The root of the run's mailbox (`/ipc`).
    pub ipc: PathBuf,
    /// Where relative paths of file tools begin.
    pub workspace: FolderMount,
    /// Further folders for file tools.
    #[serde(default)]
    pub folders: Vec<FolderMount>,
    /// The skills' documents, `<pack>/<name>.md`; readable by file tools under its mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<FolderMount>,
    /// The instance's memory. Read only when the run's input says that memory is on; it may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_file: Option<PathBuf>,
    /// What the runner keeps to go on after it was killed: the answers of tool calls. Nobody else may write there.
    pub state_dir: PathBuf,
    /// How long one question waits for a person, in seconds; then the call is denied. Default: one hour.
    #[serde(default = "default_approval_wait")]
    pub approval_wait_seconds: u64,
}

impl RunnerConfig {
    /// How long one question waits for a person, unless somebody says otherwise.
    pub const APPROVAL_WAIT: Duration = Duration::from_hours(1);

    /// How long one question waits for a person.
    pub const fn approval_wait(&self) -> Duration {
        Duration::from_secs(self.approval_wait_seconds)
    }
}

const fn default_approval_wait() -> u64 {
    RunnerConfig::APPROVAL_WAIT.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_travels_as_json_and_an_unknown_key_is_refused() {
        let text = r#"{"gateway":{"unix":"/run/g.sock"},"ipc":"/ipc","stateDir":"/state",
            "workspace":{"mount":"/workspace","dir":"/w","readOnly":true}}"#;
        let config: RunnerConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.gateway, GatewayEndpoint::Unix("/run/g.sock".into()));
        assert_eq!(config.approval_wait(), RunnerConfig::APPROVAL_WAIT);
        let again = serde_json::from_str(&serde_json::to_string(&config).unwrap());
        assert_eq!(config, again.unwrap());
        assert!(serde_json::from_str::<RunnerConfig>(&text.replace("\"ipc\"", "\"ipx\"")).is_err());
        let tls = r#"{"tls":{"url":"https://g","caFile":"/ca.crt","tokenFile":"/token"}}"#;
        let there = text.replace(r#"{"unix":"/run/g.sock"}"#, tls);
        let config: RunnerConfig = serde_json::from_str(&there).unwrap();
        assert!(matches!(config.gateway, GatewayEndpoint::Tls(at) if at.url.as_str() == "https://g/"));
    }
}
