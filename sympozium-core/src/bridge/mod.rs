//! The bridge of a run pod: carries files in the run's mailbox to the event bus, and what comes back into the mailbox.
//!
//! | File | Becomes | Afterwards |
//! | --- | --- | --- |
//! | `output/result.json` | `agent.run.completed` or `agent.run.failed` | stays |
//! | `output/status.json` | `agent.status.update` | stays |
//! | `output/stream-<n>.json` | `agent.stream.chunk` | removed |
//! | `messages/send-<id>.json` | `message.request` | removed, with a receipt |
//! | `spawn/request-<id>.json` | `agent.spawn.request` | removed, with a receipt |
//! | `schedules/schedule-<id>.json` | `schedule.upsert` | removed, with a receipt |
//! | `approvals-out/request-<id>.json` | `tool.approval.request` | removed |
//! | `tools/<p>/record/exec-request-<id>.json` | `tool.exec.request` | removed |
//! | `tools/<p>/record/exec-result-<id>.json` | `tool.exec.result` | removed |
//!
//! A file is removed only when the bus has acknowledged it, and its event's id is derived from the run and the file's
//! name: a bridge that is killed at any point and started again has the same effect once. An event that the bus does not
//! take for now is tried again for as long as there is time; one that it refuses becomes a `refused` receipt.
//!
//! What is decided is decided in pure functions (`decide`, `inbound`); the rest reads, publishes and writes. Entry type:
//! [`Bridge`].

mod backoff;
mod decide;
mod deliver;
mod folders;
mod inbound;
mod incoming;
mod kind;
mod last_words;
mod outbox;
mod receipts;
mod send;
mod serve;
mod settle;
mod window;

#[cfg(test)]
mod decide_tests;

pub use last_words::TerminationMessage;
pub use serve::{Bridge, BridgeConfig, BridgeError};
