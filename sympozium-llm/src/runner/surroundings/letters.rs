//! Requests to whoever serves the run: files in the mailbox, and the receipts that come back. [`MailboxLetters`].

use crate::tools::{Delivery, Letterbox, Letters, Trouble};
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use sympozium_core::error::chain;
use sympozium_core::ipc::mailbox::{MailboxError, wait_for, write_json};
use sympozium_core::ipc::{Folder, Layout, Receipt, ReceiptStatus};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Posts through a run's mailbox.
#[derive(Debug)]
pub(crate) struct MailboxLetters {
    layout: Layout,
}

impl MailboxLetters {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout }
    }
}

#[async_trait]
impl Letters for MailboxLetters {
    async fn post(
        &self,
        to: Letterbox,
        id: Uuid,
        letter: Value,
        (wait, cancel): (Duration, &CancellationToken),
    ) -> Result<Delivery, Trouble> {
        let trouble = |error: MailboxError| Trouble(format!("{}.", chain(&error)));
        let (folder, prefix) = match to {
            Letterbox::Messages => (Folder::Messages, "send"),
            Letterbox::Schedules => (Folder::Schedules, "schedule"),
        };
        let receipts = self.layout.folder(&Folder::Receipts);
        let answered = format!("{id}.json");
        // A receipt that is there already belongs to the same request, posted before the runner was started again.
        if !receipts.join(&answered).exists() {
            let name = format!("{prefix}-{id}.json");
            write_json(&self.layout.folder(&folder), &name, &letter).map_err(trouble)?;
        }
        match wait_for(&receipts, &answered, Instant::now() + wait, cancel).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(|receipt| delivery(&receipt))
                .map_err(|error| Trouble(format!("The receipt could not be understood: {error}."))),
            Err(MailboxError::Timeout { .. }) => Err(Trouble(format!(
                "The request was handed over, but there is no receipt after {} s: it is not known whether it arrives.",
                wait.as_secs()
            ))),
            Err(error) => Err(trouble(error)),
        }
    }
}

fn delivery(receipt: &Receipt) -> Delivery {
    let (ok, word) = match receipt.status {
        ReceiptStatus::Accepted => (true, "Accepted"),
        ReceiptStatus::Delivered => (true, "Delivered"),
        ReceiptStatus::Refused => (false, "Refused"),
        ReceiptStatus::Failed => (false, "Failed"),
    };
    let detail = if receipt.detail.is_empty() {
        format!("{word}.")
    } else {
        format!("{word}: {}", receipt.detail)
    };
    Delivery { ok, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sympozium_core::ipc::FileId;
    use sympozium_core::ipc::mailbox::make_folders;

    fn mailbox() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        make_folders(&layout, &[]).unwrap();
        (folder, layout)
    }

    async fn post(layout: &Layout, wait: Duration) -> Result<Delivery, Trouble> {
        let letters = MailboxLetters::new(layout.clone());
        let cancel = CancellationToken::new();
        letters
            .post(
                Letterbox::Messages,
                Uuid::from_u128(1),
                json!({"text": "hi"}),
                (wait, &cancel),
            )
            .await
    }

    #[tokio::test]
    async fn the_receipt_decides_what_is_told() {
        for (status, ok, told) in [
            (ReceiptStatus::Accepted, true, "Accepted: d"),
            (ReceiptStatus::Delivered, true, "Delivered: d"),
            (ReceiptStatus::Refused, false, "Refused: d"),
            (ReceiptStatus::Failed, false, "Failed: d"),
        ] {
            let (_folder, layout) = mailbox();
            let receipt = Receipt {
                id: FileId::from(Uuid::from_u128(1)),
                status,
                detail: "d".to_owned(),
            };
            let name = format!("{}.json", receipt.id);
            write_json(&layout.folder(&Folder::Receipts), &name, &receipt).unwrap();
            let delivery = post(&layout, Duration::from_secs(20)).await.unwrap();
            assert_eq!((delivery.ok, delivery.detail.as_str()), (ok, told));
            let posted = layout.folder(&Folder::Messages).read_dir().unwrap().count();
            assert_eq!(posted, 0, "an answered request is not posted again");
        }
    }

    #[tokio::test]
    async fn without_a_receipt_nothing_is_claimed() {
        let (_folder, layout) = mailbox();
        let trouble = post(&layout, Duration::from_millis(20)).await.unwrap_err();
        assert!(trouble.0.contains("not known"), "{trouble}");
        let name = format!("send-{}.json", Uuid::from_u128(1));
        let posted = std::fs::read_to_string(layout.folder(&Folder::Messages).join(name)).unwrap();
        assert_eq!(posted, r#"{"text":"hi"}"#);
    }
}
