//! Which tools a run has. Pure: from its input and its surroundings to a [`ToolSet`].

use super::surroundings::{Commands, Files, Letters};
use super::{
    ExecuteCommand, FetchUrl, ListDirectory, PackTool, ReadFile, ScheduleTask, SendChannelMessage, WriteFile,
};
use crate::runner::GatewayClient;
use std::fmt;
use std::sync::Arc;
use sympozium_core::gateway::RunInput;
use sympozium_core::tool::{ToolSet, ToolSetError};

/// What the tools work with.
#[derive(Clone)]
pub struct Surroundings {
    /// Files.
    pub files: Arc<dyn Files>,
    /// Commands.
    pub commands: Arc<dyn Commands>,
    /// Requests to who serves the run.
    pub letters: Arc<dyn Letters>,
    /// Web pages.
    pub gateway: GatewayClient,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

/// The built-in tools and the packs' own. Denied ones are in it too, so that a call of one can be answered with its
/// verdict; the agent does not offer them. `execute_command` is there only when the run has a target.
pub fn tool_set(input: &RunInput, with: &Surroundings) -> Result<ToolSet, ToolSetError> {
    let mut tools = ToolSet::default();
    tools.add(ReadFile(with.files.clone()))?;
    tools.add(WriteFile(with.files.clone()))?;
    tools.add(ListDirectory(with.files.clone()))?;
    tools.add(FetchUrl::new(with.gateway.clone()))?;
    tools.add(SendChannelMessage::new(
        with.letters.clone(),
        input.reply_to.clone(),
    ))?;
    tools.add(ScheduleTask(with.letters.clone()))?;
    if !input.targets.is_empty() {
        let execute = ExecuteCommand::new(input.targets.clone(), with.commands.clone())?;
        tools.add_dyn(Arc::new(execute))?;
    }
    for tool in &input.typed_tools {
        tools.add_dyn(Arc::new(PackTool::new(tool.clone(), with.commands.clone())))?;
    }
    Ok(tools)
}
