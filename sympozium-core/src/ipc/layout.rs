//! Folders and file names.

use crate::ids::{InvalidId, PackName};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};
use uuid::Uuid;

/// The variable part of a file's name. Foreign agents choose their own, so it is checked before it becomes a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileId(String);

impl FileId {
    /// Checks and takes an id: 1 to 128 characters of `a-z`, `A-Z`, `0-9`, `.`, `_` and `-`, without a dot in front.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        let fine = (1..=128).contains(&text.len())
            && !text.starts_with('.')
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fine {
            Ok(Self(text))
        } else {
            let text = text.chars().take(80).collect();
            Err(InvalidId {
                what: "file id",
                text,
                rule: "1 to 128 characters of a-z, A-Z, 0-9, `.`, `_` and `-`",
            })
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for FileId {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FileId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl From<FileId> for String {
    fn from(id: FileId) -> Self {
        id.0
    }
}

/// A folder below `/ipc`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Folder {
    /// Result, stream, status.
    Output,
    /// Chat messages to send.
    Messages,
    /// Runs to spawn.
    Spawn,
    /// Schedules to change.
    Schedules,
    /// Questions to people.
    ApprovalsOut,
    /// Task and follow-ups.
    Input,
    /// What became of requests.
    Receipts,
    /// People's answers, for the agent.
    Approvals,
    /// People's answers, for one executor.
    ApprovalsOf(PackName),
    /// Commands for one executor, and their results.
    Tools(PackName),
    /// What one executor was asked and what came of it, for the record: requests and results are gone as soon as they have
    /// served, and copies here stay until the bridge has sent them.
    Record(PackName),
}

impl Folder {
    /// The folders that every run has.
    pub const COMMON: [Self; 8] = [
        Self::Output,
        Self::Messages,
        Self::Spawn,
        Self::Schedules,
        Self::ApprovalsOut,
        Self::Input,
        Self::Receipts,
        Self::Approvals,
    ];

    /// The path below `/ipc`.
    pub fn path(&self) -> String {
        match self {
            Self::Output => "output".to_owned(),
            Self::Messages => "messages".to_owned(),
            Self::Spawn => "spawn".to_owned(),
            Self::Schedules => "schedules".to_owned(),
            Self::ApprovalsOut => "approvals-out".to_owned(),
            Self::Input => "input".to_owned(),
            Self::Receipts => "receipts".to_owned(),
            Self::Approvals => "approvals".to_owned(),
            Self::ApprovalsOf(pack) => format!("approvals/{pack}"),
            Self::Tools(pack) => format!("tools/{pack}"),
            Self::Record(pack) => format!("tools/{pack}/record"),
        }
    }

    /// Whether the agent may write there.
    pub const fn agent_writes(&self) -> bool {
        match self {
            Self::Output
            | Self::Messages
            | Self::Spawn
            | Self::Schedules
            | Self::ApprovalsOut
            | Self::Tools(_) => true,
            Self::Input | Self::Receipts | Self::Approvals | Self::ApprovalsOf(_) | Self::Record(_) => false,
        }
    }
}

/// Where the folders of one run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The folders below `root` (`/ipc` in a pod).
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A folder's path.
    pub fn folder(&self, folder: &Folder) -> PathBuf {
        self.root.join(folder.path())
    }

    /// All folders of a run with these executors, parents first.
    pub fn folders(packs: &[PackName]) -> Vec<Folder> {
        let mut all = Folder::COMMON.to_vec();
        for pack in packs {
            all.push(Folder::ApprovalsOf(pack.clone()));
            all.push(Folder::Tools(pack.clone()));
        }
        all
    }

    /// `output/result.json`.
    pub fn result(&self) -> PathBuf {
        self.folder(&Folder::Output).join("result.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_not_leave_its_folder() {
        for (text, fine) in [
            ("a", true),
            ("1.2_3-x", true),
            ("", false),
            (".a", false),
            ("a/b", false),
            ("..", false),
            ("a b", false),
        ] {
            assert_eq!(FileId::new(text).is_ok(), fine, "{text:?}");
        }
        assert!(FileId::new("x".repeat(129)).is_err());
    }
}
