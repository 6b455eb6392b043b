//! The built-in tools, and the typed tools of packs.
//!
//! Must not resolve paths, open sockets or start processes: what they need comes through [`Files`], [`Commands`],
//! [`Letters`] and the gateway client. Entry: [`tool_set`].

mod assemble;
mod commands;
mod fetch_url;
mod files;
mod letters;
mod page;
mod schema_check;
mod surroundings;

pub use assemble::{Surroundings, tool_set};
pub use commands::{ExecuteCommand, PackTool};
pub use fetch_url::{FetchUrl, FetchUrlArgs, FetchUrlError};
pub use files::{ListDirectory, ListDirectoryArgs, ReadFile, ReadFileArgs, WriteFile, WriteFileArgs};
pub use letters::{
    ScheduleAction, ScheduleTask, ScheduleTaskArgs, SendChannelMessage, SendChannelMessageArgs,
};
pub use surroundings::{
    CommandCall, CommandLine, CommandResult, Commands, Delivery, Entry, EntryKind, FilePiece, Files,
    Letterbox, Letters, Listing, Trouble,
};
