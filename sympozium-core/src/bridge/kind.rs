//! What the files of a run are. Pure.

use crate::bus::StreamKind;
use crate::ids::PackName;
use crate::ipc::{FileId, Folder};

/// What a file is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Result,
    Status,
    Chunk,
    Message,
    Spawn,
    Schedule,
    Question,
    /// A copy that an executor made for the record.
    ExecRequest(PackName),
    ExecResult(PackName),
}

impl Kind {
    /// All that a run with these executors has, the most important first.
    pub(super) fn all(packs: &[PackName]) -> Vec<Self> {
        let mut all = vec![
            Self::Result,
            Self::Question,
            Self::Message,
            Self::Schedule,
            Self::Spawn,
            Self::Status,
            Self::Chunk,
        ];
        for pack in packs {
            all.push(Self::ExecRequest(pack.clone()));
            all.push(Self::ExecResult(pack.clone()));
        }
        all
    }

    /// Where they lie.
    pub(super) fn folder(&self) -> Folder {
        match self {
            Self::Result | Self::Status | Self::Chunk => Folder::Output,
            Self::Message => Folder::Messages,
            Self::Spawn => Folder::Spawn,
            Self::Schedule => Folder::Schedules,
            Self::Question => Folder::ApprovalsOut,
            Self::ExecRequest(pack) | Self::ExecResult(pack) => Folder::Record(pack.clone()),
        }
    }

    /// How their names begin.
    pub(super) const fn prefix(&self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Status => "status",
            Self::Chunk => "stream-",
            Self::Message => "send-",
            Self::Spawn | Self::Question => "request-",
            Self::Schedule => "schedule-",
            Self::ExecRequest(_) => "exec-request-",
            Self::ExecResult(_) => "exec-result-",
        }
    }

    /// Whether a file of that name is one of them. Its folder may hold others, which are nobody's business.
    pub(super) fn has(&self, name: &str) -> bool {
        let stem = name.strip_suffix(".json");
        let between = stem.and_then(|stem| stem.strip_prefix(self.prefix()));
        match self {
            Self::Result | Self::Status => between == Some(""),
            Self::Chunk
            | Self::Message
            | Self::Spawn
            | Self::Schedule
            | Self::Question
            | Self::ExecRequest(_)
            | Self::ExecResult(_) => between.is_some_and(|id| !id.is_empty()),
        }
    }

    /// Whether they stay after they were sent: others read them too, and they are written again under the same name.
    pub(super) const fn stays(&self) -> bool {
        match self {
            Self::Result | Self::Status => true,
            Self::Chunk
            | Self::Message
            | Self::Spawn
            | Self::Schedule
            | Self::Question
            | Self::ExecRequest(_)
            | Self::ExecResult(_) => false,
        }
    }

    /// The stream that their events are kept in.
    pub(super) const fn stream(&self) -> StreamKind {
        match self {
            Self::Status | Self::Chunk => StreamKind::Stream,
            Self::Result
            | Self::Message
            | Self::Spawn
            | Self::Schedule
            | Self::Question
            | Self::ExecRequest(_)
            | Self::ExecResult(_) => StreamKind::Work,
        }
    }

    /// The id in a file's name, under which its agent looks for a receipt; `None` when nobody looks for one.
    pub(super) fn receipt(&self, name: &str) -> Option<FileId> {
        match self {
            Self::Message | Self::Spawn | Self::Schedule => self.id(name),
            Self::Result
            | Self::Status
            | Self::Chunk
            | Self::Question
            | Self::ExecRequest(_)
            | Self::ExecResult(_) => None,
        }
    }

    /// The id in a file's name.
    pub(super) fn id(&self, name: &str) -> Option<FileId> {
        let id = name.strip_prefix(self.prefix())?.strip_suffix(".json")?;
        FileId::new(id).ok()
    }
}
