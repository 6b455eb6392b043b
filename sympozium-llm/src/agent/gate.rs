//! Whether a call may be made: the policy's verdict, and a person's when the policy wants one.
//!
//! Must not run tools. Entry type: [`Gate`].

use async_trait::async_trait;
use std::{fmt, sync::Arc};
use sympozium_core::chat::ToolCall;
use sympozium_core::ids::{StepId, ToolName};
use sympozium_core::policy::{Outcome, ToolGate, Verdict, decide_tool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What a person is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalRequest {
    /// Derived from run, step and index, so that a repetition finds the decision that was made.
    pub id: Uuid,
    /// The step of the run.
    pub step: StepId,
    /// The call, exactly as it will be made.
    pub call: ToolCall,
    /// Why a person is asked.
    pub verdict: Verdict,
}

/// What a person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalDecision {
    /// Yes.
    Approved,
    /// No, or nobody could answer; `reason` is one sentence for the model.
    Denied {
        /// Why.
        reason: String,
    },
}

/// Asks a person about a call.
#[async_trait]
pub trait Approver: Send + Sync {
    /// Waits for the decision. Has to come back soon after `cancel` is cancelled, then with a denial.
    async fn ask(&self, request: &ApprovalRequest, cancel: &CancellationToken) -> ApprovalDecision;
}

/// For runs that nobody watches: everything that needs a person is denied.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyApproves;

#[async_trait]
impl Approver for NobodyApproves {
    async fn ask(&self, _: &ApprovalRequest, _: &CancellationToken) -> ApprovalDecision {
        ApprovalDecision::Denied {
            reason: "Nobody is there who could approve it.".to_owned(),
        }
    }
}

/// What the gate says about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Make the call.
    Granted,
    /// Don't; the model reads `message`.
    Refused {
        /// What the model reads: tool, policy, rule, reason.
        message: String,
    },
}

/// Decides about each call of one run.
#[derive(Clone)]
pub struct Gate {
    rules: Option<ToolGate>,
    approver: Arc<dyn Approver>,
}

impl Gate {
    /// Lets every call pass: for embedders without policies.
    pub fn open() -> Self {
        Self {
            rules: None,
            approver: Arc::new(NobodyApproves),
        }
    }

    /// Holds calls against these rules and asks that person.
    pub fn new(rules: ToolGate, approver: Arc<dyn Approver>) -> Self {
        Self {
            rules: Some(rules),
            approver,
        }
    }

    /// The verdict about a tool; `None` without rules.
    pub fn verdict(&self, tool: &ToolName) -> Option<Verdict> {
        self.rules.as_ref().map(|rules| decide_tool(rules, tool))
    }

    /// False for tools that are denied in any case: the model is not told about them.
    pub fn offers(&self, tool: &ToolName) -> bool {
        self.verdict(tool)
            .is_none_or(|verdict| verdict.outcome != Outcome::Deny)
    }

    /// Asks the person that the verdict calls for.
    pub async fn ask(&self, request: &ApprovalRequest, cancel: &CancellationToken) -> Admission {
        match self.approver.ask(request, cancel).await {
            ApprovalDecision::Approved => Admission::Granted,
            ApprovalDecision::Denied { reason } => Admission::Refused {
                message: not_approved(&request.verdict, &request.call.name, &reason),
            },
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// What the model reads about a denied call.
pub(crate) fn denied(verdict: &Verdict, tool: &ToolName) -> String {
    format!(
        "Not run: policy {} denies {tool} (rule {}). {} Don't call it again; go on without it and say so in the answer.",
        verdict.policy, verdict.rule, verdict.reason
    )
}

fn not_approved(verdict: &Verdict, tool: &ToolName, reason: &str) -> String {
    format!(
        "Not run: policy {} lets {tool} run only after a person agreed (rule {}), and it was not approved. {reason}",
        verdict.policy, verdict.rule
    )
}
