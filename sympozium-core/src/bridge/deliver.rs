//! Writing what came from the bus into the mailbox.

use super::decide::Answer;
use super::inbound::Inbound;
use super::receipts::Receipts;
use crate::ids::PackName;
use crate::ipc::ApprovalDecision;
use crate::ipc::mailbox::{MailboxError, OpenFolder};

/// Where it goes. Everything may be written again.
#[derive(Debug)]
pub(super) struct Deliveries {
    pub(super) input: OpenFolder,
    pub(super) approvals: OpenFolder,
    pub(super) approvals_of: Vec<(PackName, OpenFolder)>,
    pub(super) receipts: Receipts,
}

impl Deliveries {
    /// Writes it. Fails when there is no room, and then it is worth trying again.
    pub(super) fn write(&mut self, inbound: &Inbound) -> Result<(), MailboxError> {
        match inbound {
            Inbound::Followup(id, data) => {
                let name = format!("followup-{id}.json");
                // An agent that has read it would take the same one again for another.
                if self.input.holds(&name) {
                    return Ok(());
                }
                self.input.write_json(&name, data)
            }
            Inbound::Decision(decision, target) => {
                self.decision(decision, target.as_ref().map(PackName::as_str))
            }
            Inbound::Receipt(receipt) => self.receipts.write(receipt),
        }
    }

    /// Answers a question.
    pub(super) fn answer(&self, answer: &Answer) -> Result<(), MailboxError> {
        self.decision(&answer.decision, answer.target.as_deref())
    }

    /// Writes for the executor first, so that it knows when the agent goes on.
    fn decision(&self, decision: &ApprovalDecision, target: Option<&str>) -> Result<(), MailboxError> {
        let name = format!("{}.json", decision.id);
        let of = self
            .approvals_of
            .iter()
            .find(|(pack, _)| Some(pack.as_str()) == target);
        if let Some((_, folder)) = of {
            folder.write_json(&name, decision)?;
        }
        self.approvals.write_json(&name, decision)
    }
}
