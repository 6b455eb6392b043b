//! The local bridge: takes what the agent writes out of the mailbox, and puts receipts and answers into it.
//!
//! There is no bus here: messages, spawned runs and schedules get a refusal that says so.

use super::{LocalAnswer, LocalApprover, LocalEvent, LocalEvents};
use crate::ids::{PackName, RunUid};
use crate::ipc::mailbox::{FolderWatch, Inbox, InboxConfig, Item, MailboxError, OpenFolder};
use crate::ipc::{
    ApprovalDecision, ApprovalRequest, FileId, Folder, Layout, Receipt, ReceiptStatus, StatusUpdate,
    StreamChunk, approval_hash,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The largest request or piece of the stream, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How many questions a person is asked at once.
const MAX_QUESTIONS: usize = 32;
/// How many bytes of questions may be open before the next one has to wait. In memory they can take many times as much.
const MAX_OPEN: usize = 1 << 20;
/// How many receipts and answers are written for one run: each costs a file that is never removed before the run's end.
const MAX_WRITTEN: u32 = 10_000;
/// How long the mailbox is emptied after the agent's end: something it left behind may go on filling it.
const DRAIN: Duration = Duration::from_secs(10);

/// A kind of request that needs a cluster.
struct Letter {
    /// What it is called in events.
    what: &'static str,
    /// How its files' names begin.
    prefix: &'static str,
    /// What the agent is told.
    refusal: &'static str,
}

const MESSAGE: Letter = Letter {
    what: "message",
    prefix: "send-",
    refusal: "There is no chat channel here: channels need a cluster. Say it in your answer instead.",
};
const SPAWN: Letter = Letter {
    what: "spawn",
    prefix: "request-",
    refusal: "No other agent can be started here: that needs a cluster. Do it yourself.",
};
const SCHEDULE: Letter = Letter {
    what: "schedule",
    prefix: "schedule-",
    refusal: "Nothing can be scheduled here: schedules need a cluster. Say in your answer what should be scheduled.",
};

/// Serves one run's mailbox.
pub(super) struct Bridge {
    pub(super) run: RunUid,
    pub(super) layout: Layout,
    pub(super) executors: Vec<PackName>,
    pub(super) approver: Arc<dyn LocalApprover>,
    pub(super) events: Arc<dyn LocalEvents>,
}

struct Boxes {
    stream: Inbox<StreamChunk>,
    status: Inbox<StatusUpdate>,
    messages: Inbox<IgnoredAny>,
    spawn: Inbox<IgnoredAny>,
    schedules: Inbox<IgnoredAny>,
    questions: Inbox<ApprovalRequest>,
}

/// Something that lay in the mailbox.
enum Found {
    Chunk(Item<StreamChunk>),
    Status(Item<StatusUpdate>),
    Letter(&'static Letter, Item<IgnoredAny>),
    Question(Item<ApprovalRequest>),
}

impl Bridge {
    /// Opens the mailbox; its folders have to be there. Whatever is written from now on is found.
    pub(super) fn open(self) -> Result<OpenBridge, MailboxError> {
        let open = |folder: Folder| OpenFolder::open(&self.layout.folder(&folder));
        let output = open(Folder::Output)?;
        let watched = [
            output.clone(),
            output.clone(),
            open(Folder::Messages)?,
            open(Folder::Spawn)?,
            open(Folder::Schedules)?,
            open(Folder::ApprovalsOut)?,
        ];
        let [stream, status, messages, spawn, schedules, questions] = FolderWatch::start_all(watched)?;
        let answers = |pack: &PackName| Ok((pack.clone(), open(Folder::ApprovalsOf(pack.clone()))?));
        let outgoing = Outgoing {
            receipts: open(Folder::Receipts)?,
            answers: open(Folder::Approvals)?,
            answers_of: self
                .executors
                .iter()
                .map(answers)
                .collect::<Result<_, MailboxError>>()?,
            written: 0,
        };
        let boxes = Boxes {
            stream: inbox(stream, "stream-")?,
            status: inbox(status, "status")?,
            messages: inbox(messages, MESSAGE.prefix)?,
            spawn: inbox(spawn, SPAWN.prefix)?,
            schedules: inbox(schedules, SCHEDULE.prefix)?,
            questions: inbox(questions, "request-")?,
        };
        Ok(OpenBridge {
            bridge: self,
            boxes,
            output,
            outgoing,
        })
    }

    fn tell(&self, event: LocalEvent) {
        self.events.on(self.run, event);
    }
}

/// Where receipts and answers go.
struct Outgoing {
    receipts: OpenFolder,
    answers: OpenFolder,
    answers_of: Vec<(PackName, OpenFolder)>,
    written: u32,
}

impl Outgoing {
    fn receipt(&mut self, receipt: &Receipt) -> Result<(), MailboxError> {
        let name = format!("{}.json", receipt.id);
        self.written += 1;
        self.receipts.write_json(&name, receipt)
    }

    /// Writes the answer for the executor first, so that it is there when the agent goes on.
    fn hand_over(&mut self, request: &ApprovalRequest, answer: &LocalAnswer) -> Result<(), MailboxError> {
        let decision = ApprovalDecision {
            id: request.id.clone(),
            answer: answer.answer,
            sha256: request.sha256.clone(),
            reason: answer.reason.clone(),
        };
        let name = format!("{}.json", request.id);
        self.written += 1;
        let target = self
            .answers_of
            .iter()
            .find(|(pack, _)| Some(pack.as_str()) == request.target.as_deref());
        if let Some((_, folder)) = target {
            folder.write_json(&name, &decision)?;
        }
        self.answers.write_json(&name, &decision)
    }

    fn is_exhausted(&self) -> bool {
        self.written >= MAX_WRITTEN
    }
}

fn inbox<T: DeserializeOwned>(watch: FolderWatch, prefix: &str) -> Result<Inbox<T>, MailboxError> {
    let config = InboxConfig {
        max_bytes: MAX_BYTES,
        ..InboxConfig::of(prefix)
    };
    Inbox::open_on(watch, config)
}

/// A bridge whose mailbox is open.
pub(super) struct OpenBridge {
    bridge: Bridge,
    boxes: Boxes,
    output: OpenFolder,
    outgoing: Outgoing,
}

type Asked = (Item<ApprovalRequest>, LocalAnswer);

/// The questions that a person is thinking about.
#[derive(Default)]
struct Open {
    questions: JoinSet<Asked>,
    bytes: usize,
}

impl Open {
    fn is_full(&self) -> bool {
        self.questions.len() >= MAX_QUESTIONS || self.bytes >= MAX_OPEN
    }
}

impl OpenBridge {
    /// The folder of the result, as it was when the mailbox was opened.
    pub(super) fn output(&self) -> OpenFolder {
        self.output.clone()
    }

    /// Serves until it is stopped, then takes what is still there. Questions that are open then stay unanswered.
    pub(super) async fn serve(mut self, stop: &CancellationToken) -> Result<(), MailboxError> {
        let mut open = Open::default();
        loop {
            let may_ask = !open.is_full();
            let found = tokio::select! {
                () = stop.cancelled() => break,
                Some(asked) = open.questions.join_next() => {
                    // A person's program that panicked has not answered; the question's time will run out.
                    if let Ok((item, answer)) = asked {
                        open.bytes = open.bytes.saturating_sub(item.bytes.len());
                        self.answered(item, &answer)?;
                    }
                    continue;
                }
                found = self.boxes.next(may_ask) => found,
            };
            match self.usable(found)? {
                Some(Found::Question(item)) => self.ask(item, &mut open)?,
                Some(found) => self.take(found)?,
                None => {}
            }
        }
        open.questions.shutdown().await;
        self.drain()
    }

    /// Tells about files that were set aside; any other error ends the bridge.
    fn usable(&self, found: Result<Found, MailboxError>) -> Result<Option<Found>, MailboxError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(MailboxError::Rejected { name, reason }) => {
                self.bridge.tell(LocalEvent::Rejected { name, reason });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, found: Found) -> Result<(), MailboxError> {
        let bridge = &self.bridge;
        match found {
            Found::Chunk(item) => {
                bridge.tell(LocalEvent::Stream(item.value.clone()));
                item.done()
            }
            Found::Status(item) => {
                bridge.tell(LocalEvent::Status(item.value));
                Ok(())
            }
            Found::Letter(letter, item) => self.refuse(letter, item),
            // The agent has ended: nobody waits for the answer.
            Found::Question(item) => item.done(),
        }
    }

    fn refuse(&mut self, letter: &Letter, item: Item<IgnoredAny>) -> Result<(), MailboxError> {
        if self.outgoing.is_exhausted() {
            return self.reject(item, "there were too many requests before it");
        }
        let id = item
            .name
            .strip_prefix(letter.prefix)
            .and_then(|rest| rest.strip_suffix(".json"));
        let id = id.and_then(|id| FileId::new(id).ok());
        let (what, detail) = (letter.what, letter.refusal.to_owned());
        // Without a usable id nobody can look for the receipt either.
        if let Some(id) = id {
            self.outgoing.receipt(&Receipt {
                status: ReceiptStatus::Refused,
                detail: detail.clone(),
                id,
            })?;
        }
        self.bridge.tell(LocalEvent::Refused { what, detail });
        item.done()
    }

    fn ask(&mut self, item: Item<ApprovalRequest>, open: &mut Open) -> Result<(), MailboxError> {
        if item.name != format!("request-{}.json", item.value.id) {
            return self.reject(item, "it has another name than its id");
        }
        if self.outgoing.is_exhausted() {
            return self.reject(item, "there were too many requests before it");
        }
        // A person must be shown the very bytes whose hash the executor will look for.
        if approval_hash(&item.value.arguments) != item.value.sha256 {
            let answer = LocalAnswer::denied("The hash is not that of the arguments.");
            return self.answered(item, &answer);
        }
        let bridge = &self.bridge;
        bridge.tell(LocalEvent::Asked(item.value.clone()));
        let (approver, run) = (Arc::clone(&bridge.approver), bridge.run);
        open.bytes += item.bytes.len();
        open.questions.spawn(async move {
            let answer = approver.decide(run, &item.value).await;
            (item, answer)
        });
        Ok(())
    }

    fn answered(&mut self, item: Item<ApprovalRequest>, answer: &LocalAnswer) -> Result<(), MailboxError> {
        self.outgoing.hand_over(&item.value, answer)?;
        let (request, answer) = (item.value.clone(), answer.clone());
        self.bridge.tell(LocalEvent::Answered { request, answer });
        item.done()
    }

    fn reject<T>(&self, item: Item<T>, reason: &str) -> Result<(), MailboxError> {
        // Names are the agent's choice, and this one may be shown on a terminal.
        let name = item.name.replace(char::is_control, "\u{fffd}");
        let reason = reason.to_owned();
        self.bridge.tell(LocalEvent::Rejected { name, reason });
        item.done()
    }

    fn drain(&mut self) -> Result<(), MailboxError> {
        let until = Instant::now() + DRAIN;
        while let Some(found) = self.boxes.now().transpose() {
            if let Some(found) = self.usable(found)? {
                self.take(found)?;
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }
}

impl Boxes {
    /// The next file of any box. Safe to drop and call again.
    async fn next(&mut self, may_ask: bool) -> Result<Found, MailboxError> {
        tokio::select! {
            item = self.stream.next() => Ok(Found::Chunk(item?)),
            item = self.status.next() => Ok(Found::Status(item?)),
            item = self.messages.next() => Ok(Found::Letter(&MESSAGE, item?)),
            item = self.spawn.next() => Ok(Found::Letter(&SPAWN, item?)),
            item = self.schedules.next() => Ok(Found::Letter(&SCHEDULE, item?)),
            item = self.questions.next(), if may_ask => Ok(Found::Question(item?)),
        }
    }

    /// The next file that is there now.
    fn now(&mut self) -> Result<Option<Found>, MailboxError> {
        if let Some(item) = self.stream.poll_now()? {
            return Ok(Some(Found::Chunk(item)));
        }
        if let Some(item) = self.status.poll_now()? {
            return Ok(Some(Found::Status(item)));
        }
        if let Some(item) = self.messages.poll_now()? {
            return Ok(Some(Found::Letter(&MESSAGE, item)));
        }
        if let Some(item) = self.spawn.poll_now()? {
            return Ok(Some(Found::Letter(&SPAWN, item)));
        }
        if let Some(item) = self.schedules.poll_now()? {
            return Ok(Some(Found::Letter(&SCHEDULE, item)));
        }
        Ok(self.questions.poll_now()?.map(Found::Question))
    }
}
