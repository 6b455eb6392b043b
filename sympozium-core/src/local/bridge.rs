//! The local bridge: takes what the agent writes out of the mailbox, and puts receipts and answers into it.
//!
//! There is no bus here: messages, spawned runs and schedules get a refusal that says so.

use super::{LocalAnswer, LocalApprover, LocalEvent, LocalEvents};
use crate::ids::{PackName, RunUid};
use crate::ipc::mailbox::{FolderWatch, Inbox, InboxConfig, Item, MailboxError, write_json};
use crate::ipc::{
    ApprovalDecision, ApprovalRequest, FileId, Folder, Layout, Receipt, ReceiptStatus, StatusUpdate,
    StreamChunk, approval_hash,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The largest request or piece of the stream, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How many questions a person is asked at once.
const MAX_QUESTIONS: usize = 32;

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
    messages: Inbox<Value>,
    spawn: Inbox<Value>,
    schedules: Inbox<Value>,
    questions: Inbox<ApprovalRequest>,
}

/// Something that lay in the mailbox.
enum Found {
    Chunk(Item<StreamChunk>),
    Status(Item<StatusUpdate>),
    Letter(&'static Letter, Item<Value>),
    Question(Item<ApprovalRequest>),
}

impl Bridge {
    /// Opens the mailbox; its folders have to be there. Whatever is written from now on is found.
    pub(super) fn open(self) -> Result<OpenBridge, MailboxError> {
        let folders = [
            Folder::Output,
            Folder::Output,
            Folder::Messages,
            Folder::Spawn,
            Folder::Schedules,
            Folder::ApprovalsOut,
        ];
        let folders = folders.map(|folder| self.layout.folder(&folder));
        let [output, status, messages, spawn, schedules, questions] = FolderWatch::start_all(folders)?;
        let boxes = Boxes {
            stream: inbox(output, "stream-")?,
            status: inbox(status, "status")?,
            messages: inbox(messages, MESSAGE.prefix)?,
            spawn: inbox(spawn, SPAWN.prefix)?,
            schedules: inbox(schedules, SCHEDULE.prefix)?,
            questions: inbox(questions, "request-")?,
        };
        Ok(OpenBridge { bridge: self, boxes })
    }

    fn tell(&self, event: LocalEvent) {
        self.events.on(self.run, event);
    }

    fn refuse(&self, letter: &Letter, item: Item<Value>) -> Result<(), MailboxError> {
        let id = item
            .name
            .strip_prefix(letter.prefix)
            .and_then(|rest| rest.strip_suffix(".json"));
        let id = id.and_then(|id| FileId::new(id).ok());
        let (what, detail) = (letter.what, letter.refusal.to_owned());
        // Without a usable id nobody can look for the receipt either.
        if let Some(id) = id {
            let receipt = Receipt {
                status: ReceiptStatus::Refused,
                detail: detail.clone(),
                id,
            };
            let name = format!("{}.json", receipt.id);
            write_json(&self.layout.folder(&Folder::Receipts), &name, &receipt)?;
        }
        self.tell(LocalEvent::Refused { what, detail });
        item.done()
    }

    /// Writes the answer for the executor first, so that it is there when the agent goes on.
    fn hand_over(&self, request: &ApprovalRequest, answer: &LocalAnswer) -> Result<(), MailboxError> {
        let decision = ApprovalDecision {
            id: request.id.clone(),
            answer: answer.answer,
            sha256: request.sha256.clone(),
            reason: answer.reason.clone(),
        };
        let name = format!("{}.json", request.id);
        let target = self
            .executors
            .iter()
            .find(|pack| Some(pack.as_str()) == request.target.as_deref());
        if let Some(pack) = target {
            write_json(
                &self.layout.folder(&Folder::ApprovalsOf(pack.clone())),
                &name,
                &decision,
            )?;
        }
        write_json(&self.layout.folder(&Folder::Approvals), &name, &decision)
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
}

type Asked = (Item<ApprovalRequest>, LocalAnswer);

impl OpenBridge {
    /// Serves until it is stopped, then takes what is still there. Questions that are open then stay unanswered.
    pub(super) async fn serve(mut self, stop: &CancellationToken) -> Result<(), MailboxError> {
        let mut questions: JoinSet<Asked> = JoinSet::new();
        loop {
            let may_ask = questions.len() < MAX_QUESTIONS;
            let found = tokio::select! {
                () = stop.cancelled() => break,
                Some(asked) = questions.join_next() => {
                    // A person's program that panicked has not answered; the question's time will run out.
                    if let Ok(asked) = asked {
                        self.answered(asked)?;
                    }
                    continue;
                }
                found = self.boxes.next(may_ask) => found,
            };
            match self.usable(found)? {
                Some(Found::Question(item)) => self.ask(item, &mut questions)?,
                Some(found) => self.take(found)?,
                None => {}
            }
        }
        questions.shutdown().await;
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

    fn take(&self, found: Found) -> Result<(), MailboxError> {
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
            Found::Letter(letter, item) => bridge.refuse(letter, item),
            // The agent has ended: nobody waits for the answer.
            Found::Question(item) => item.done(),
        }
    }

    fn ask(&self, item: Item<ApprovalRequest>, questions: &mut JoinSet<Asked>) -> Result<(), MailboxError> {
        let bridge = &self.bridge;
        if item.name != format!("request-{}.json", item.value.id) {
            let reason = "it has another name than its id".to_owned();
            bridge.tell(LocalEvent::Rejected {
                name: item.name.clone(),
                reason,
            });
            return item.done();
        }
        // A person must be shown the very bytes whose hash the executor will look for.
        if approval_hash(&item.value.arguments) != item.value.sha256 {
            let answer = LocalAnswer::denied("The hash is not that of the arguments.");
            return self.answered((item, answer));
        }
        bridge.tell(LocalEvent::Asked(item.value.clone()));
        let (approver, run) = (Arc::clone(&bridge.approver), bridge.run);
        questions.spawn(async move {
            let answer = approver.decide(run, &item.value).await;
            (item, answer)
        });
        Ok(())
    }

    fn answered(&self, (item, answer): Asked) -> Result<(), MailboxError> {
        self.bridge.hand_over(&item.value, &answer)?;
        let request = item.value.clone();
        self.bridge.tell(LocalEvent::Answered { request, answer });
        item.done()
    }

    fn drain(&mut self) -> Result<(), MailboxError> {
        while let Some(found) = self.boxes.now().transpose() {
            if let Some(found) = self.usable(found)? {
                self.take(found)?;
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
