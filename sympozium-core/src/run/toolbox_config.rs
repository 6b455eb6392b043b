//! What an executor is started with. Here and not beside the executor, so that who builds pods needs no executor.

use super::pod_contract::GatewayAccess;
use crate::policy::ToolGate;
use crate::skill::TypedTool;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// What of the file system a process can still reach. Everything that is not named is out of reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileRules {
    /// Files, and folders with all that is below them, that can be read, listed and executed.
    pub read: Vec<PathBuf>,
    /// Those that can also be changed.
    pub write: Vec<PathBuf>,
}

/// Everything that an executor needs to know. Travels in its arguments, so that nobody can change it later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolboxConfig {
    /// Where requests come and results go.
    pub tools_dir: PathBuf,
    /// Where people's answers are.
    pub approvals_dir: PathBuf,
    /// Where commands run unless they say otherwise; below it is where they may say.
    pub workspace: PathBuf,
    /// The path by which models know the workspace.
    pub workspace_mount: PathBuf,
    /// The shell.
    pub shell: PathBuf,
    /// The whole environment of commands.
    pub env: BTreeMap<String, String>,
    /// The rules.
    pub gate: ToolGate,
    /// The pack's typed tools.
    pub typed_tools: Vec<TypedTool>,
    /// This process has no other children than its commands.
    pub sole: bool,
    /// Where results are kept, so that a request which comes again after a restart is not executed again. Nobody else may
    /// write there. `None` = results are forgotten at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// What of the file system commands can reach, where that is less than the executor can; they can't send it signals
    /// either. `None` = commands can do what the executor can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<FileRules>,
    /// The gateway's proxy, by which commands reach what their pack may reach. `None` = they reach nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<GatewayAccess>,
}
