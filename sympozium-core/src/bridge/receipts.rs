//! Receipts: what agents are told about their requests.

use crate::error::chain;
use crate::ipc::mailbox::{MailboxError, OpenFolder};
use crate::ipc::{FileId, Receipt, ReceiptStatus};
use std::collections::VecDeque;

/// How many receipts lie there at once. Each takes a page of the run's memory; who asked looks within seconds.
const MOST_KEPT: usize = 4096;
/// How many receipts wait for room. With them the oldest requests of an agent that has filled its own disk go unanswered.
const MOST_OWED: usize = 1024;
/// The largest receipt that is read back, in bytes.
const MAX_RECEIPT: u64 = 64 << 10;

/// The receipts of one run.
#[derive(Debug)]
pub(super) struct Receipts {
    folder: OpenFolder,
    /// Those that were written by this process, oldest first.
    kept: VecDeque<FileId>,
    /// Those that there was no room for.
    owed: VecDeque<Receipt>,
}

impl Receipts {
    pub(super) fn new(folder: OpenFolder) -> Self {
        Self {
            folder,
            kept: VecDeque::new(),
            owed: VecDeque::new(),
        }
    }

    /// Writes a receipt, unless there is one that says more. Fails when there is no room.
    pub(super) fn write(&mut self, receipt: &Receipt) -> Result<(), MailboxError> {
        let name = format!("{}.json", receipt.id);
        if receipt.status == ReceiptStatus::Accepted && self.is_there(&name)? {
            return Ok(());
        }
        self.folder.write_json(&name, receipt)?;
        self.kept.push_back(receipt.id.clone());
        while self.kept.len() > MOST_KEPT {
            if let Some(oldest) = self.kept.pop_front() {
                // It may have been written twice, and then it is younger than it looks, or gone.
                let again = self.kept.contains(&oldest);
                let _ = again || self.folder.discard(&format!("{oldest}.json")).is_ok();
            }
        }
        Ok(())
    }

    /// Remembers a receipt that could not be written.
    pub(super) fn owe(&mut self, receipt: Receipt, error: &MailboxError) {
        tracing::warn!(id = %receipt.id, error = chain(error), "a receipt waits for room");
        self.owed.push_back(receipt);
        if self.owed.len() > MOST_OWED
            && let Some(lost) = self.owed.pop_front()
        {
            tracing::warn!(id = %lost.id, "a receipt is given up");
        }
    }

    /// Whether receipts wait for room.
    pub(super) fn is_in_debt(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Tries to write what is owed.
    pub(super) fn pay(&mut self) {
        while let Some(receipt) = self.owed.pop_front() {
            if self.write(&receipt).is_err() {
                self.owed.push_front(receipt);
                return;
            }
        }
    }

    fn is_there(&self, name: &str) -> Result<bool, MailboxError> {
        Ok(self.folder.read(name, MAX_RECEIPT)?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(id: &str, status: ReceiptStatus) -> Receipt {
        Receipt {
            id: FileId::new(id).unwrap(),
            status,
            detail: String::new(),
        }
    }

    fn status(folder: &tempfile::TempDir, id: &str) -> Option<ReceiptStatus> {
        let bytes = std::fs::read(folder.path().join(format!("{id}.json"))).ok()?;
        Some(serde_json::from_slice::<Receipt>(&bytes).unwrap().status)
    }

    #[test]
    fn what_says_more_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut receipts = Receipts::new(OpenFolder::open(folder.path()).unwrap());
        for (written, there) in [
            (ReceiptStatus::Accepted, ReceiptStatus::Accepted),
            (ReceiptStatus::Delivered, ReceiptStatus::Delivered),
            (ReceiptStatus::Accepted, ReceiptStatus::Delivered),
            (ReceiptStatus::Failed, ReceiptStatus::Failed),
            (ReceiptStatus::Accepted, ReceiptStatus::Failed),
        ] {
            receipts.write(&receipt("a", written)).unwrap();
            assert_eq!(status(&folder, "a"), Some(there), "{written:?}");
        }
    }

    #[test]
    fn the_oldest_receipts_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let mut receipts = Receipts::new(OpenFolder::open(folder.path()).unwrap());
        for n in 0..MOST_KEPT + 3 {
            let receipt = receipt(&n.to_string(), ReceiptStatus::Accepted);
            receipts.write(&receipt).unwrap();
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), MOST_KEPT);
        assert_eq!(status(&folder, "2"), None);
        assert!(status(&folder, "3").is_some());
    }

    #[test]
    fn what_is_owed_is_written_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut receipts = Receipts::new(OpenFolder::open(folder.path()).unwrap());
        let full = MailboxError::io("write", "x")(std::io::ErrorKind::StorageFull.into());
        for n in 0..MOST_OWED + 1 {
            receipts.owe(receipt(&n.to_string(), ReceiptStatus::Refused), &full);
        }
        assert!(receipts.is_in_debt());
        receipts.pay();
        assert!(!receipts.is_in_debt());
        assert_eq!(folder.path().read_dir().unwrap().count(), MOST_OWED);
        assert_eq!(status(&folder, "1"), Some(ReceiptStatus::Refused));
    }
}
