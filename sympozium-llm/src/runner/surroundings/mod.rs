//! The surroundings of a real run: files in a jail, commands and letters through the mailbox.

mod commands;
mod files;
mod letters;

pub(super) use commands::{Executors, exec_request};
pub(super) use files::JailedFiles;
pub(super) use letters::MailboxLetters;
