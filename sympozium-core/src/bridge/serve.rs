//! The bridge's loop.

use super::decide::{Decision, File, Owner, decide, envelope};
use super::deliver::Deliveries;
use super::folders::Folders;
use super::inbound::inbound;
use super::incoming::incoming;
use super::kind::Kind;
use super::last_words::{TerminationMessage, unsent};
use super::outbox::{Found, Letterbox, Outbox};
use super::receipts::Receipts;
use super::send::Sender;
use super::settle::{Sending, Sent, answer, malformed, reject, settle};
use super::window::Window;
use crate::bus::{Delivery, EventBus};
use crate::error::{Classify, Retry, chain};
use crate::ids::{InstanceRef, PackName, RunUid};
use crate::ipc::mailbox::{Item, MailboxError};
use crate::ipc::{Layout, LostEvents};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// How often it is tried to write receipts that there was no room for.
const DEBT: Duration = Duration::from_millis(250);
/// How often it is noted down what is not sent yet when the end is near.
const NOTE: Duration = Duration::from_millis(500);
/// How many acknowledgements may be under way.
const MOST_ACKS: usize = 64;
/// How soon something comes again from the bus that there was no room for.
const AGAIN: Duration = Duration::from_secs(2);

/// What a bridge is told.
#[derive(Debug, Clone)]
pub struct BridgeConfig {
    /// The root of the mailbox, `/ipc`.
    pub ipc: PathBuf,
    /// The run, by which everything is keyed.
    pub run: RunUid,
    /// The run's instance.
    pub instance: InstanceRef,
    /// Its executors: packs and `sandbox`.
    pub executors: Vec<PackName>,
    /// How long it may take to send what is left when it is told to end.
    pub grace: Duration,
    /// Where it says what could not be sent.
    pub termination_message: Option<TerminationMessage>,
}

/// Why a bridge ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The mailbox can't be used.
    #[error("use the mailbox")]
    Mailbox(#[from] MailboxError),
}

impl Classify for BridgeError {
    fn retry(&self) -> Retry {
        match self {
            Self::Mailbox(error) => error.retry(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Mailbox(error) => error.kind(),
        }
    }
}

/// Carries files to the bus and back, see the [module](super).
///
/// ```no_run
/// # use std::sync::Arc;
/// # use sympozium_core::bridge::{Bridge, BridgeConfig};
/// # use sympozium_core::bus::{BusLimits, InMemoryBus};
/// # use tokio_util::sync::CancellationToken;
/// # async fn example(config: BridgeConfig) -> Result<(), sympozium_core::bridge::BridgeError> {
/// let bridge = Bridge::open(config)?;
/// let bus = Arc::new(InMemoryBus::new(BusLimits::default()));
/// let lost = bridge.serve(bus, &CancellationToken::new()).await?;
/// assert_eq!(lost.events_lost, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Bridge {
    config: BridgeConfig,
    owner: Owner,
    outbox: Outbox,
    deliveries: Deliveries,
}

impl Bridge {
    /// Makes the folders of the mailbox that are not there, and begins to watch: whatever is written from now on, or was
    /// before, is found.
    pub fn open(config: BridgeConfig) -> Result<Self, BridgeError> {
        let folders = Folders::open(&Layout::new(&config.ipc), &config.executors)?;
        Ok(Self {
            owner: Owner {
                run: config.run,
                instance: config.instance.clone(),
            },
            outbox: Outbox::open(folders.read)?,
            deliveries: Deliveries {
                input: folders.input,
                approvals: folders.approvals,
                approvals_of: folders.approvals_of,
                receipts: Receipts::new(folders.receipts),
            },
            config,
        })
    }

    /// Serves until it is told to stop, then sends what is there and ends. Returns what could not be sent in time, which is
    /// also the termination message.
    ///
    /// Fails only when the mailbox can't be used; started again, it goes on where it was.
    pub async fn serve(
        self,
        bus: Arc<dyn EventBus>,
        stop: &CancellationToken,
    ) -> Result<LostEvents, BridgeError> {
        let incoming = incoming(Arc::clone(&bus), &self.owner);
        let mut work = Work {
            sender: Sender::new(bus),
            sending: FuturesUnordered::new(),
            acks: FuturesUnordered::new(),
            window: Window::default(),
            result_sent: false,
            bridge: self,
        };
        work.until_stopped(incoming, stop).await?;
        work.drain().await
    }
}

/// A bridge at work.
struct Work {
    bridge: Bridge,
    sender: Sender,
    sending: FuturesUnordered<BoxFuture<'static, Sent>>,
    acks: FuturesUnordered<BoxFuture<'static, ()>>,
    window: Window,
    result_sent: bool,
}

impl Work {
    async fn until_stopped(
        &mut self,
        mut incoming: futures::stream::BoxStream<'static, Delivery>,
        stop: &CancellationToken,
    ) -> Result<(), BridgeError> {
        loop {
            let room = self.window.room();
            let in_debt = self.bridge.deliveries.receipts.is_in_debt();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(sent) = self.sending.next() => self.sent(sent),
                Some(()) = self.acks.next() => {}
                Some(delivery) = incoming.next(), if self.acks.len() < MOST_ACKS => self.deliver(delivery),
                found = self.bridge.outbox.next(room), if room.any() => self.take(found)?,
                () = sleep(DEBT), if in_debt => self.bridge.deliveries.receipts.pay(),
            }
        }
    }

    /// Sends what is there, and looks once more when all was sent.
    async fn drain(&mut self) -> Result<LostEvents, BridgeError> {
        let until = Instant::now() + self.bridge.config.grace;
        let mut noted = false;
        let mut note = Instant::now();
        // Looking through folders costs something, so it is done when a good part of what was found is sent.
        let mut few = self.sending.len();
        loop {
            if self.sending.len() <= few {
                self.take_all()?;
                few = self.sending.len() / 2;
            }
            if self.sending.is_empty() {
                break;
            }
            // Should there be no time to say it in the end, it is said already.
            if note <= Instant::now() {
                self.say(&self.unsent());
                (noted, note) = (true, Instant::now() + NOTE);
            }
            tokio::select! {
                Some(sent) = self.sending.next() => self.sent(sent),
                () = sleep_until(note) => {}
                () = sleep_until(until) => break,
            }
        }
        self.bridge.deliveries.receipts.pay();
        let lost = self.unsent();
        if noted || lost.events_lost > 0 {
            self.say(&lost);
        }
        Ok(lost)
    }

    /// Takes files as long as there are any and room for them.
    fn take_all(&mut self) -> Result<(), BridgeError> {
        loop {
            let room = self.window.room();
            let found = if room.any() {
                self.bridge.outbox.now(room)
            } else {
                None
            };
            match found {
                Some(found) => self.take(found)?,
                None => return Ok(()),
            }
        }
    }

    fn take(&mut self, (place, found): Found) -> Result<(), BridgeError> {
        let bridge = &mut self.bridge;
        let Some(letterbox) = bridge.outbox.get(place) else {
            return Ok(());
        };
        match found {
            Ok(item) => self.found(place, item),
            Err(MailboxError::Rejected { name, reason }) => {
                tracing::warn!(file = letterbox.path(&name), reason, "a file was set aside");
                if let Some(id) = letterbox.kind.receipt(&name) {
                    malformed(&mut bridge.deliveries, id, &reason);
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn found(&mut self, place: usize, item: Item<Value>) {
        let bridge = &mut self.bridge;
        let Some(letterbox) = bridge.outbox.get(place) else {
            return;
        };
        let file = File {
            name: &item.name,
            value: &item.value,
            state: (&item.bytes, written(letterbox, &item)),
        };
        match decide(&letterbox.kind, &bridge.owner, &file) {
            Decision::Leave => {}
            Decision::Reject(reason) => reject(letterbox, &mut bridge.deliveries, item, &reason),
            Decision::Answer(given) => answer(&bridge.deliveries, item, &given),
            Decision::Publish(event, refusal) => {
                let sending = Sending {
                    place,
                    stream: event.topic.stream(),
                    bytes: item.bytes.len(),
                    refusal,
                    // What it held is in the event.
                    item: item.emptied(),
                };
                match envelope(&bridge.owner, event, Timestamp::now()) {
                    Ok(envelope) => self.send(sending, envelope),
                    // Names are checked when they are made, and a run's UID fits.
                    Err(error) => tracing::error!(%error, "an event has no subject"),
                }
            }
        }
    }

    fn send(&mut self, sending: Sending, envelope: crate::bus::Envelope) {
        self.window.add(sending.stream, sending.bytes);
        let sender = self.sender.clone();
        let sent = async move {
            let sent = sender.publish(envelope).await;
            (sending, sent)
        };
        self.sending.push(sent.boxed());
    }

    fn sent(&mut self, sent: Sent) {
        self.window.remove(sent.0.stream, sent.0.bytes);
        let bridge = &mut self.bridge;
        if let Some(letterbox) = bridge.outbox.get(sent.0.place) {
            let taken = settle(letterbox, &mut bridge.deliveries, sent);
            self.result_sent |= taken && letterbox.kind == Kind::Result;
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let bridge = &mut self.bridge;
        let decided = inbound(&bridge.owner, &bridge.config.executors, delivery.envelope.clone());
        let settled = match decided {
            Err(reason) => {
                tracing::warn!(id = delivery.envelope.id, reason, "an event makes no sense");
                delivery.terminate(reason).boxed()
            }
            Ok(found) => match bridge.deliveries.write(&found) {
                Ok(()) => delivery.ack().boxed(),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "an event waits for room");
                    delivery.retry(AGAIN).boxed()
                }
            },
        };
        // What is not acknowledged comes again, and is written again.
        self.acks.push(settled.map(|_| ()).boxed());
    }

    fn unsent(&self) -> LostEvents {
        unsent(self.bridge.outbox.boxes(), self.result_sent)
    }

    fn say(&self, lost: &LostEvents) {
        if let Some(message) = &self.bridge.config.termination_message
            && let Err(error) = message.write(lost)
        {
            tracing::warn!(%error, "the termination message can't be written");
        }
    }
}

/// When a file was written; asked only of those that are written again and again.
fn written(letterbox: &Letterbox, item: &Item<Value>) -> Option<(i128, i128)> {
    if letterbox.kind == Kind::Status {
        letterbox.inbox.changed_at(item)
    } else {
        None
    }
}
