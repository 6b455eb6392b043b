//! The journal of tool calls: one file of lines in the runner's own folder.
//!
//! A line is the call's id, a blank, and the call with its answer as JSON. Adding a line is one write, so a runner that is
//! killed leaves whole lines. The last line of an id counts.

use crate::agent::CallJournal;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use sympozium_core::chat::{ToolCall, ToolResult};
use sympozium_core::error::chain;
use sympozium_core::ipc::mailbox::{MailboxError, OpenFolder};
use uuid::Uuid;

const NAME: &str = "calls.log";
/// The longest line that is read back: the longest page of a file, escaped.
const MAX_LINE: u64 = 4 << 20;

/// Answers of tool calls. The file is opened when the first call is made.
#[derive(Debug)]
pub(crate) struct FileJournal {
    folder: PathBuf,
    log: Mutex<Option<Log>>,
}

/// The open file, and where in it each call is.
#[derive(Debug)]
struct Log {
    file: File,
    /// Where the next line begins.
    end: u64,
    lines: HashMap<Uuid, Line>,
}

/// A line's JSON in the file.
#[derive(Debug, Clone, Copy)]
struct Line {
    at: u64,
    length: usize,
}

#[derive(Deserialize)]
struct Entry {
    call: ToolCall,
    result: ToolResult,
}

/// An [`Entry`] as it is written.
#[derive(Serialize)]
struct NewEntry<'a> {
    call: &'a ToolCall,
    result: &'a ToolResult,
}

impl FileJournal {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let log = Mutex::new(None);
        Self { folder, log }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Log) -> std::io::Result<T>) -> Result<T, MailboxError> {
        let io = |step| MailboxError::io(step, self.folder.join(NAME));
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match log.take() {
            Some(open) => open,
            None => Log::read(OpenFolder::open(&self.folder)?.open_log(NAME)?).map_err(io("read"))?,
        };
        work(log.insert(open)).map_err(io("use"))
    }
}

impl Log {
    /// Finds the lines that an earlier process has left. What is behind the last whole one is cut off.
    fn read(file: File) -> std::io::Result<Self> {
        let mut log = Self {
            end: 0,
            lines: HashMap::new(),
            file,
        };
        let mut reader = BufReader::new(log.file.try_clone()?);
        let mut line = Vec::new();
        loop {
            line.clear();
            (&mut reader).take(MAX_LINE + 1).read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            log.note(&line);
        }
        log.file.set_len(log.end)?;
        Ok(log)
    }

    /// Notes a line, with its end, that is in the file from `self.end` on.
    fn note(&mut self, line: &[u8]) {
        let blank = line.iter().position(|byte| *byte == b' ');
        let id = blank.and_then(|blank| Uuid::try_parse_ascii(line.get(..blank)?).ok());
        if let (Some(blank), Some(id)) = (blank, id) {
            let at = self.end + blank as u64 + 1;
            let length = line.len().saturating_sub(blank + 2);
            self.lines.insert(id, Line { at, length });
        }
        self.end += line.len() as u64;
    }

    fn find(&self, id: Uuid) -> std::io::Result<Option<Vec<u8>>> {
        let Some(line) = self.lines.get(&id) else {
            return Ok(None);
        };
        let mut bytes = vec![0; line.length];
        self.file.read_exact_at(&mut bytes, line.at)?;
        Ok(Some(bytes))
    }

    fn add(&mut self, line: &[u8]) -> std::io::Result<()> {
        if let Err(error) = self.file.write_all(line) {
            // Half of it may be there, if the disk was full.
            self.file.set_len(self.end)?;
            return Err(error);
        }
        self.note(line);
        Ok(())
    }
}

/// A line, or `None` when it is too long to be read back.
fn line(id: Uuid, entry: &NewEntry<'_>) -> serde_json::Result<Option<Vec<u8>>> {
    let mut line = format!("{id} ").into_bytes();
    serde_json::to_writer(&mut line, entry)?;
    line.push(b'\n');
    Ok((line.len() as u64 <= MAX_LINE).then_some(line))
}

#[async_trait]
impl CallJournal for FileJournal {
    async fn find(&self, id: Uuid, call: &ToolCall) -> Option<ToolResult> {
        // What can't be read counts as not kept: the call is made again, and its effect is known by its id.
        let bytes = self.with(|log| log.find(id)).ok()??;
        let entry: Entry = serde_json::from_slice(&bytes).ok()?;
        (entry.call == *call).then_some(entry.result)
    }

    async fn keep(&self, id: Uuid, call: &ToolCall, result: &ToolResult) {
        const NOT_KEPT: &str = "the answer of a tool call could not be kept";
        match line(id, &NewEntry { call, result }) {
            Ok(Some(line)) => {
                if let Err(error) = self.with(|log| log.add(&line)) {
                    tracing::warn!(error = chain(&error), "{NOT_KEPT}");
                }
            }
            Ok(None) => tracing::warn!(error = "it is too long", "{NOT_KEPT}"),
            Err(error) => tracing::warn!(error = chain(&error), "{NOT_KEPT}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;
    use sympozium_core::ids::{CallId, ToolName};

    fn call(path: &str) -> ToolCall {
        ToolCall {
            id: CallId::new("c").unwrap(),
            name: ToolName::new("read_file").unwrap(),
            arguments: json!({"path": path}),
        }
    }

    fn answer(content: impl Into<String>) -> ToolResult {
        ToolResult {
            id: CallId::new("c").unwrap(),
            content: content.into(),
            is_error: false,
        }
    }

    fn journal(folder: &Path) -> FileJournal {
        FileJournal::new(folder.to_owned())
    }

    #[tokio::test]
    async fn an_answer_is_found_for_the_same_call_only() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = journal(folder.path());
        assert_eq!(first.find(one, &call("a")).await, None);
        first.keep(one, &call("a"), &answer("text\nof two lines")).await;
        for journal in [first, journal(folder.path())] {
            assert_eq!(
                journal.find(one, &call("a")).await,
                Some(answer("text\nof two lines"))
            );
            assert_eq!(journal.find(one, &call("b")).await, None);
            assert_eq!(journal.find(two, &call("a")).await, None);
        }
    }

    #[tokio::test]
    async fn the_last_answer_of_a_call_counts() {
        let folder = tempfile::tempdir().unwrap();
        let first = journal(folder.path());
        for content in ["old", "new"] {
            first.keep(Uuid::nil(), &call("a"), &answer(content)).await;
        }
        let again = journal(folder.path()).find(Uuid::nil(), &call("a")).await;
        assert_eq!(again, Some(answer("new")));
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_not_read_and_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let ids = [1, 2, 3].map(Uuid::from_u128);
        let first = journal(folder.path());
        first.keep(ids[0], &call("a"), &answer("first")).await;
        first.keep(ids[1], &call("a"), &answer("second")).await;
        let path = folder.path().join(NAME);
        let whole = std::fs::metadata(&path).unwrap().len();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(whole - 5)
            .unwrap();
        let second = journal(folder.path());
        assert_eq!(second.find(ids[1], &call("a")).await, None);
        second.keep(ids[2], &call("a"), &answer("third")).await;
        let third = journal(folder.path());
        assert_eq!(third.find(ids[0], &call("a")).await, Some(answer("first")));
        assert_eq!(third.find(ids[1], &call("a")).await, None);
        assert_eq!(third.find(ids[2], &call("a")).await, Some(answer("third")));
    }

    #[tokio::test]
    async fn rubbish_and_answers_that_are_too_long_are_as_good_as_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::from_u128(1);
        std::fs::write(folder.path().join(NAME), format!("rubbish\n\n{id} {{\n")).unwrap();
        let journal = journal(folder.path());
        assert_eq!(journal.find(id, &call("a")).await, None);
        let long = answer("x".repeat(5 << 20));
        journal.keep(id, &call("a"), &long).await;
        assert_eq!(journal.find(id, &call("a")).await, None);
        journal.keep(id, &call("a"), &answer("short")).await;
        assert_eq!(journal.find(id, &call("a")).await, Some(answer("short")));
    }

    #[tokio::test]
    async fn a_link_in_the_place_of_the_journal_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "mine\n").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path().join(NAME)).unwrap();
        let journal = journal(folder.path());
        journal.keep(Uuid::nil(), &call("a"), &answer("x")).await;
        assert_eq!(journal.find(Uuid::nil(), &call("a")).await, None);
        assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "mine\n");
    }
}
