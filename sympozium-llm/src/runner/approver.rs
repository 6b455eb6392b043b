//! Asks a person through the mailbox: [`MailboxApprover`].

use super::surroundings::exec_request;
use crate::agent::{ApprovalDecision, ApprovalRequest, Approver};
use crate::tools::{CommandCall, Commands, ExecuteCommand, PackTool};
use async_trait::async_trait;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::error::chain;
use sympozium_core::gateway::RunInput;
use sympozium_core::ids::InvalidId;
use sympozium_core::ipc::mailbox::{MailboxError, wait_for, write_json};
use sympozium_core::ipc::{self, ApprovalAnswer, FileId, Folder, Layout, approval_hash};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Writes questions and waits for answers.
pub(crate) struct MailboxApprover {
    layout: Layout,
    wait: Duration,
    /// What is executed elsewhere, to show and hash it in the form in which it is executed.
    execute: Option<ExecuteCommand>,
    typed: Vec<PackTool>,
}

impl MailboxApprover {
    pub(crate) fn new(
        layout: Layout,
        wait: Duration,
        input: &RunInput,
        commands: &Arc<dyn Commands>,
    ) -> Result<Self, InvalidId> {
        let execute = if input.targets.is_empty() {
            None
        } else {
            Some(ExecuteCommand::new(input.targets.clone(), commands.clone())?)
        };
        let typed = input.typed_tools.iter();
        Ok(Self {
            layout,
            wait,
            execute,
            typed: typed
                .map(|tool| PackTool::new(tool.clone(), commands.clone()))
                .collect(),
        })
    }

    /// The command that a call makes; `None` when it makes none. Fails with the reason when the call can't be made.
    fn command(&self, request: &ApprovalRequest) -> Option<Result<CommandCall, String>> {
        let (name, arguments) = (&request.call.name, request.call.arguments.clone());
        if let Some(tool) = self.typed.iter().find(|tool| tool.name() == name) {
            return Some(tool.call(request.id, arguments));
        }
        let execute = self
            .execute
            .as_ref()
            .filter(|_| name.as_str() == ExecuteCommand::NAME)?;
        Some(execute.call(request.id, arguments))
    }

    fn question(&self, request: &ApprovalRequest) -> Result<ipc::ApprovalRequest, String> {
        let command = self.command(request).transpose()?;
        let arguments: Value = match &command {
            Some(command) => exec_request(command).approval_form(),
            None => request.call.arguments.clone(),
        };
        Ok(ipc::ApprovalRequest {
            id: FileId::from(request.id),
            tool: request.call.name.clone(),
            sha256: approval_hash(&arguments),
            arguments,
            policy: request.verdict.policy.to_string(),
            rule: request.verdict.rule.clone(),
            target: command.map(|command| command.target.to_string()),
        })
    }

    async fn decision(
        &self,
        question: &ipc::ApprovalRequest,
        cancel: &CancellationToken,
    ) -> Result<ipc::ApprovalDecision, String> {
        let answers = self.layout.folder(&Folder::Approvals);
        let answered = format!("{}.json", question.id);
        // An answer that is there already was given before the runner was started again.
        if !answers.join(&answered).exists() {
            let name = format!("request-{}.json", question.id);
            write_json(&self.layout.folder(&Folder::ApprovalsOut), &name, question)
                .map_err(|error| format!("Nobody could be asked: {}.", chain(&error)))?;
        }
        match wait_for(&answers, &answered, Instant::now() + self.wait, cancel).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| format!("The answer could not be understood: {e}.")),
            Err(MailboxError::Timeout { .. }) => {
                Err(format!("Nobody answered within {} s.", self.wait.as_secs()))
            }
            Err(error) => Err(format!("There is no answer: {}.", chain(&error))),
        }
    }
}

#[async_trait]
impl Approver for MailboxApprover {
    async fn ask(&self, request: &ApprovalRequest, cancel: &CancellationToken) -> ApprovalDecision {
        // A call that can't be made is no question for a person.
        let question = match self.question(request) {
            Ok(question) => question,
            Err(reason) => return ApprovalDecision::Denied { reason },
        };
        match self.decision(&question, cancel).await {
            Ok(said) => judge(&question, said),
            Err(reason) => ApprovalDecision::Denied { reason },
        }
    }
}

fn judge(question: &ipc::ApprovalRequest, said: ipc::ApprovalDecision) -> ApprovalDecision {
    if said.id != question.id || said.sha256 != question.sha256 {
        let reason = "The answer is to another question.".to_owned();
        return ApprovalDecision::Denied { reason };
    }
    match said.answer {
        ApprovalAnswer::Approved => ApprovalDecision::Approved,
        ApprovalAnswer::Denied if said.reason.is_empty() => ApprovalDecision::Denied {
            reason: "A person said no.".to_owned(),
        },
        ApprovalAnswer::Denied => ApprovalDecision::Denied { reason: said.reason },
    }
}

impl fmt::Debug for MailboxApprover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailboxApprover")
            .field("layout", &self.layout)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
