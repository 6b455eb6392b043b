//! Whether a request may be executed, by the executor's own rules.

use crate::ids::ToolName;
use crate::ipc::{ApprovalAnswer, ApprovalDecision, ExecRequest, approval_hash};
use crate::policy::{Outcome, ToolGate, decide_tool};

/// The tool that a request is for.
pub(super) fn tool_of(request: &ExecRequest) -> Option<ToolName> {
    request
        .tool
        .clone()
        .or_else(|| ToolName::new("execute_command").ok())
}

/// Refuses with a sentence, or lets pass. `approval` is the person's answer to exactly this request, if there is one.
pub(super) fn check(
    gate: &ToolGate,
    request: &ExecRequest,
    approval: Option<&ApprovalDecision>,
) -> Result<(), String> {
    let tool = tool_of(request).ok_or_else(|| "The request names no usable tool.".to_owned())?;
    let verdict = decide_tool(gate, &tool);
    let by = format!("policy {}, rule {}", verdict.policy, verdict.rule);
    match verdict.outcome {
        Outcome::Allow => Ok(()),
        Outcome::Deny => Err(format!("{} ({by})", verdict.reason)),
        Outcome::Ask => match approval {
            None => Err(format!(
                "The tool {tool} needs a person's approval, and there is none ({by})."
            )),
            Some(answer) if answer.answer == ApprovalAnswer::Denied => {
                Err(format!("A person denied it ({by})."))
            }
            Some(answer) if answer.sha256 == approval_hash(&request.approval_form()) => Ok(()),
            Some(_) => Err(format!(
                "What was approved is not what was asked to be executed ({by})."
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::FileId;
    use crate::policy::{Policy, ToolAction};

    #[test]
    fn only_the_approved_bytes_pass() {
        let mut policy = Policy::local_default();
        policy.tools.default_action = ToolAction::Ask;
        let gate = ToolGate {
            layers: vec![policy.gate_layer()],
            ..ToolGate::default()
        };
        let mut request = ExecRequest::new(FileId::new("1").unwrap());
        request.command = "echo a".to_owned();
        let decision = |answer| ApprovalDecision {
            id: request.id.clone(),
            answer,
            sha256: approval_hash(&request.approval_form()),
            reason: String::new(),
        };
        let (yes, no) = (
            decision(ApprovalAnswer::Approved),
            decision(ApprovalAnswer::Denied),
        );
        assert_eq!(check(&gate, &request, Some(&yes)), Ok(()));
        assert!(check(&gate, &request, Some(&no)).is_err());
        assert!(check(&gate, &request, None).is_err());
        request.command = "echo b".to_owned();
        assert!(check(&gate, &request, Some(&yes)).is_err());
    }
}
