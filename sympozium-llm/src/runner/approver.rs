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

#[cfg(test)]
mod tests {
    use super::super::fake_gateway::run_input;
    use super::super::surroundings::Executors;
    use super::*;
    use serde_json::json;
    use sympozium_core::chat::ToolCall;
    use sympozium_core::ids::{CallId, PackName, StepId, ToolName};
    use sympozium_core::ipc::mailbox::make_folders;
    use sympozium_core::policy::{Outcome, PolicyName, Question, Verdict};

    struct Desk {
        _folder: tempfile::TempDir,
        layout: Layout,
        approver: MailboxApprover,
    }

    fn desk(wait: Duration) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        make_folders(&layout, &[]).unwrap();
        let mut input = run_input();
        input.targets = vec![PackName::new("sandbox").unwrap()];
        let commands: Arc<dyn Commands> = Arc::new(Executors::new(&layout, &input.targets));
        let approver = MailboxApprover::new(layout.clone(), wait, &input, &commands).unwrap();
        Desk {
            _folder: folder,
            layout,
            approver,
        }
    }

    fn request(tool: &str, arguments: Value) -> ApprovalRequest {
        let tool = ToolName::new(tool).unwrap();
        ApprovalRequest {
            id: uuid::Uuid::from_u128(1),
            step: StepId::new("turn-1").unwrap(),
            call: ToolCall {
                id: CallId::new("c").unwrap(),
                name: tool.clone(),
                arguments,
            },
            verdict: Verdict {
                question: Question::Tool(tool),
                outcome: Outcome::Ask,
                policy: PolicyName("p".to_owned()),
                rule: "r".to_owned(),
                field: String::new(),
                reason: String::new(),
            },
        }
    }

    impl Desk {
        async fn ask(&self, request: &ApprovalRequest) -> ApprovalDecision {
            self.approver.ask(request, &CancellationToken::new()).await
        }

        /// Puts an answer there, as if somebody had been asked before.
        fn answer(&self, answer: ApprovalAnswer, sha256: &str) {
            let decision = ipc::ApprovalDecision {
                id: FileId::from(uuid::Uuid::from_u128(1)),
                answer,
                sha256: sha256.to_owned(),
                reason: String::new(),
            };
            let name = format!("{}.json", decision.id);
            write_json(&self.layout.folder(&Folder::Approvals), &name, &decision).unwrap();
        }

        fn questions(&self) -> Vec<ipc::ApprovalRequest> {
            let folder = self.layout.folder(&Folder::ApprovalsOut);
            let files = std::fs::read_dir(folder).unwrap();
            let read = |file: std::fs::DirEntry| {
                serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap()
            };
            files.map(|file| read(file.unwrap())).collect()
        }
    }

    fn denied(reason: &str) -> ApprovalDecision {
        let reason = reason.to_owned();
        ApprovalDecision::Denied { reason }
    }

    #[tokio::test]
    async fn what_is_asked_is_what_will_be_executed_and_silence_is_no() {
        let desk = desk(Duration::from_millis(20));
        let command = request("execute_command", json!({"command": "ls", "workdir": "a"}));
        assert_eq!(desk.ask(&command).await, denied("Nobody answered within 0 s."));
        let question = desk.questions().remove(0);
        let form = json!({"command": "ls", "workDir": "a", "timeout": 30, "tool": "execute_command"});
        assert_eq!(question.arguments, form);
        assert_eq!(question.sha256, approval_hash(&form));
        assert_eq!(question.target.as_deref(), Some("sandbox"));
    }

    #[tokio::test]
    async fn only_an_answer_to_this_very_question_counts_and_it_is_not_asked_again() {
        let arguments = json!({"path": "a"});
        let right = approval_hash(&arguments);
        let request = request("read_file", arguments);
        for (answer, hash, expected) in [
            (
                ApprovalAnswer::Approved,
                right.as_str(),
                ApprovalDecision::Approved,
            ),
            (
                ApprovalAnswer::Denied,
                right.as_str(),
                denied("A person said no."),
            ),
            (
                ApprovalAnswer::Approved,
                "other",
                denied("The answer is to another question."),
            ),
        ] {
            let desk = desk(Duration::from_secs(20));
            desk.answer(answer, hash);
            assert_eq!(desk.ask(&request).await, expected);
            assert_eq!(desk.questions(), []);
        }
    }

    #[tokio::test]
    async fn a_call_that_can_not_be_made_is_no_question() {
        let desk = desk(Duration::from_secs(20));
        let request = request("execute_command", json!({"command": "ls", "target": "elsewhere"}));
        let reason = "There is no target elsewhere; it must be one of sandbox.";
        assert_eq!(desk.ask(&request).await, denied(reason));
        assert_eq!(desk.questions(), []);
    }
}
