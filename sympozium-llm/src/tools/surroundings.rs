//! What the built-in tools need from outside: files, commands, letters. The runner gives them the run's `/ipc` and jail;
//! an embedder may give its own.
//!
//! Paths are texts here and are resolved by the implementation alone, beneath its roots.

use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use sympozium_core::ids::PackName;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Why something outside did not work, as a sentence for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePiece {
    /// The bytes from the offset that was asked for, at most as many as asked for.
    pub bytes: Vec<u8>,
    /// The whole file's size in bytes.
    pub total: u64,
}

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else: sockets, pipes, devices.
    Other,
}

impl EntryKind {
    /// The word in a listing.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "dir",
            Self::Link => "link",
            Self::Other => "other",
        }
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Size in bytes.
    pub size: u64,
}

/// A directory's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Sorted by name, at most as many as asked for.
    pub entries: Vec<Entry>,
    /// How many there are in all.
    pub total: usize,
}

/// Files of the run.
#[async_trait]
pub trait Files: Send + Sync {
    /// Up to `limit` bytes of a regular file from `offset` on.
    async fn read(&self, path: &str, offset: u64, limit: usize) -> Result<FilePiece, Trouble>;

    /// Puts a whole file in place at once, making the folders above it.
    async fn write(&self, path: &str, content: &str) -> Result<(), Trouble>;

    /// The first `limit` entries of a directory.
    async fn list(&self, path: &str, limit: usize) -> Result<Listing, Trouble>;
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// A text for a shell.
    Shell(String),
    /// A typed tool, no shell.
    Typed {
        /// The model's arguments. An executor with a template of its own makes the command line from these.
        arguments: Value,
        /// The program and its arguments, as the template that the runner knows makes them.
        line: Vec<String>,
    },
}

/// A command for an executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandCall {
    /// Derived from the call, so that a repetition gets the recorded result.
    pub id: Uuid,
    /// Which executor.
    pub target: PackName,
    /// The tool by which the model asked, for the executor's own rules.
    pub tool: sympozium_core::ids::ToolName,
    /// What to run.
    pub command: CommandLine,
    /// The folder it starts in; `None` = the workspace.
    pub workdir: Option<String>,
    /// When it is killed.
    pub timeout: Duration,
}

/// How a command went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandResult {
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// True when it was killed because of the timeout.
    pub timed_out: bool,
}

/// Runs commands in the run's executors.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Runs it and waits for its end, or until `cancel` is cancelled.
    async fn run(&self, call: &CommandCall, cancel: &CancellationToken) -> Result<CommandResult, Trouble>;
}

/// Where a letter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letterbox {
    /// `messages/`: to a chat.
    Messages,
    /// `schedules/`: to a schedule.
    Schedules,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// True when it was accepted or delivered.
    pub ok: bool,
    /// What the receipt says, as a sentence.
    pub detail: String,
}

/// Sends requests to whoever serves the run, and waits for the receipt.
#[async_trait]
pub trait Letters: Send + Sync {
    /// Posts under an id which makes a repetition recognisable, and waits up to `wait` for the receipt.
    async fn post(
        &self,
        to: Letterbox,
        id: Uuid,
        letter: Value,
        wait: (Duration, &CancellationToken),
    ) -> Result<Delivery, Trouble>;
}
