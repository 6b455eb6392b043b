//! What is done with a file when it is decided what becomes of it, and when the bus has answered.

use super::decide::{Answer, Refusal, denial};
use super::deliver::Deliveries;
use super::kind::Kind;
use super::outbox::Letterbox;
use crate::bus::{BusError, StreamKind};
use crate::error::chain;
use crate::ipc::mailbox::{Item, MailboxError};
use crate::ipc::{FileId, Receipt, ReceiptStatus};
use serde_json::Value;

/// A file whose event is under way.
#[derive(Debug)]
pub(super) struct Sending {
    /// Its box.
    pub(super) place: usize,
    /// The file, without what it held.
    pub(super) item: Item<Value>,
    pub(super) stream: StreamKind,
    pub(super) bytes: usize,
    pub(super) refusal: Refusal,
}

/// What the bus has done with it.
pub(super) type Sent = (Sending, Result<(), BusError>);

/// Finishes with a file. True when the event was taken.
pub(super) fn settle(letterbox: &mut Letterbox, deliveries: &mut Deliveries, (sending, sent): Sent) -> bool {
    let Sending { item, refusal, .. } = sending;
    match sent {
        Ok(()) => {
            taken(&letterbox.kind, deliveries, item);
            true
        }
        Err(error) => {
            refused(letterbox, deliveries, (item, refusal), &error);
            false
        }
    }
}

fn taken(kind: &Kind, deliveries: &mut Deliveries, item: Item<Value>) {
    if kind.stays() {
        return;
    }
    match kind.receipt(&item.name) {
        Some(id) => {
            let status = ReceiptStatus::Accepted;
            let detail = String::new();
            tell(deliveries, item, Receipt { id, status, detail });
        }
        None => remove(item),
    }
}

fn refused(
    letterbox: &mut Letterbox,
    deliveries: &mut Deliveries,
    (item, refusal): (Item<Value>, Refusal),
    error: &BusError,
) {
    let said = chain(error);
    tracing::warn!(
        file = letterbox.path(&item.name),
        error = said,
        "the bus refuses an event"
    );
    match refusal {
        Refusal::Keep => {}
        Refusal::SetAside => set_aside(letterbox, item, &format!("the bus refuses it: {said}")),
        Refusal::Receipt(id) => {
            let detail = format!("This run may not do that, or not so: {said}.");
            refuse(deliveries, item, id, detail);
        }
        Refusal::Deny(question) => {
            let reason = format!("Nobody can be asked: {said}.");
            answer(deliveries, item, &denial(&question, reason));
        }
    }
}

/// Tells the agent that its request is refused.
pub(super) fn refuse(deliveries: &mut Deliveries, item: Item<Value>, id: FileId, detail: String) {
    let status = ReceiptStatus::Refused;
    tell(deliveries, item, Receipt { id, status, detail });
}

/// Answers a question that need not be asked.
pub(super) fn answer(deliveries: &Deliveries, item: Item<Value>, answer: &Answer) {
    match deliveries.answer(answer) {
        Ok(()) => remove(item),
        // Without an answer the question's time runs out, which is a no as well.
        Err(error) => {
            tracing::warn!(error = chain(&error), "an answer could not be written");
            remove(item);
        }
    }
}

/// Sets a file aside that makes no sense, and tells its agent if it waits.
pub(super) fn reject(
    letterbox: &mut Letterbox,
    deliveries: &mut Deliveries,
    item: Item<Value>,
    reason: &str,
) {
    let id = letterbox.kind.receipt(&item.name);
    set_aside(letterbox, item, reason);
    if let Some(id) = id {
        malformed(deliveries, id, reason);
    }
}

/// Tells an agent that its request can't be understood. The file is set aside already.
pub(super) fn malformed(deliveries: &mut Deliveries, id: FileId, reason: &str) {
    let receipt = Receipt {
        id,
        status: ReceiptStatus::Refused,
        detail: format!("The request was set aside: {reason}."),
    };
    if let Err(error) = deliveries.receipts.write(&receipt) {
        deliveries.receipts.owe(receipt, &error);
    }
}

/// The receipt comes first: a bridge that is killed in between sends the same event again, and not without a receipt. Only
/// where there is no room the file goes first, to make some.
fn tell(deliveries: &mut Deliveries, item: Item<Value>, receipt: Receipt) {
    let written = deliveries.receipts.write(&receipt);
    remove(item);
    if written.is_err()
        && let Err(error) = deliveries.receipts.write(&receipt)
    {
        deliveries.receipts.owe(receipt, &error);
    }
}

fn set_aside(letterbox: &mut Letterbox, item: Item<Value>, reason: &str) {
    let said: MailboxError = letterbox.inbox.reject(&item, reason);
    tracing::warn!("{}: {said}", letterbox.kind.folder().path());
}

/// A file that can't be removed is one that its agent holds on to, and it is not sent again as long as it is the same.
fn remove(item: Item<Value>) {
    if let Err(error) = item.done() {
        tracing::warn!(error = chain(&error), "a file that was sent stays");
    }
}
