//! The result that an agent leaves. Whatever it is, reading it harms nobody.

use crate::error::chain;
use crate::ipc::mailbox::{MailboxError, OpenFolder};
use crate::run::AgentResult;

/// The largest result that is read: an answer of 2 MiB, escaped.
const MAX_RESULT: u64 = 8 << 20;
/// Its name.
pub(super) const RESULT: &str = "result.json";

/// The result in that folder, `None` when there is none; the reason why it can't be used when it can't.
pub(super) fn read_result(output: &OpenFolder) -> Result<Option<AgentResult>, String> {
    match output.read(RESULT, MAX_RESULT) {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| format!("it can't be understood: {error}")),
        Err(MailboxError::Rejected { reason, .. }) => Err(reason),
        Err(error) => Err(chain(&error)),
    }
}
