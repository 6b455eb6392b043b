//! How the containers of a run talk to each other: files in folders below `/ipc`. Pure: paths and JSON, no disk.
//!
//! | Folder | Agent | Bridge | Skill `p` | Files |
//! | --- | --- | --- | --- | --- |
//! | `output/` | writes | reads | – | `result.json`, `status.json`, `stream-<n>.json` |
//! | `messages/`, `spawn/`, `schedules/`, `approvals-out/` | writes | reads | – | requests |
//! | `input/`, `receipts/`, `approvals/` | reads | writes | `approvals/<p>` | follow-ups, receipts, decisions |
//! | `tools/<p>/` | writes requests | copies | writes results | `exec-request-<id>.json`, `exec-result-<id>.json` |
//! | `tools/<p>/record/` | – | reads | writes | copies of both |
//!
//! A writer writes a dot file in the same folder and renames it. A reader ignores dot files, scans when it starts, and
//! then watches. Nothing that matters is decided on files that an agent can write.

mod layout;
mod lost;
#[cfg(feature = "ipc")]
pub mod mailbox;
mod markers;
mod protocol;

pub use layout::{FileId, Folder, Layout};
pub use lost::LostEvents;
pub use markers::{RESULT_END, RESULT_START, result_from_log, result_line};
pub use protocol::{
    ApprovalAnswer, ApprovalDecision, ApprovalRequest, ApprovalResponse, ChunkKind, ExecRequest, ExecResult,
    Receipt, ReceiptStatus, ScheduleAction, ScheduleRequest, SendMessage, SpawnRequest, StatusPhase,
    StatusUpdate, StreamChunk, ToolVerdict, approval_hash,
};

pub use crate::run::AgentResult;
