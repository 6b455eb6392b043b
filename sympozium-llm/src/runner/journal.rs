//! The journal of tool calls, as files in the runner's own folder.

use crate::agent::CallJournal;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use sympozium_core::chat::{ToolCall, ToolResult};
use sympozium_core::error::chain;
use sympozium_core::ipc::mailbox::{read_whole, write_json};
use uuid::Uuid;

/// The largest entry that is read back: the longest page of a file, escaped.
const MAX_ENTRY: u64 = 4 << 20;

/// Answers of tool calls, one file each.
#[derive(Debug)]
pub(crate) struct FileJournal {
    folder: PathBuf,
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
        Self { folder }
    }
}

fn name(id: Uuid) -> String {
    format!("call-{id}.json")
}

#[async_trait]
impl CallJournal for FileJournal {
    async fn find(&self, id: Uuid, call: &ToolCall) -> Option<ToolResult> {
        // What can't be read counts as not kept: the call is made again, and its effect is known by its id.
        let bytes = read_whole(&self.folder.join(name(id)), MAX_ENTRY).ok()??;
        let entry: Entry = serde_json::from_slice(&bytes).ok()?;
        (entry.call == *call).then_some(entry.result)
    }

    async fn keep(&self, id: Uuid, call: &ToolCall, result: &ToolResult) {
        let entry = NewEntry { call, result };
        if let Err(error) = write_json(&self.folder, &name(id), &entry) {
            tracing::warn!(
                error = chain(&error),
                "the answer of a tool call could not be kept"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sympozium_core::ids::{CallId, ToolName};

    #[tokio::test]
    async fn an_answer_is_found_for_the_same_call_only() {
        let folder = tempfile::tempdir().unwrap();
        let journal = FileJournal::new(folder.path().to_owned());
        let call = |path: &str| ToolCall {
            id: CallId::new("c").unwrap(),
            name: ToolName::new("read_file").unwrap(),
            arguments: json!({"path": path}),
        };
        let result = ToolResult {
            id: CallId::new("c").unwrap(),
            content: "text".to_owned(),
            is_error: false,
        };
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(journal.find(one, &call("a")).await, None);
        journal.keep(one, &call("a"), &result).await;
        assert_eq!(journal.find(one, &call("a")).await, Some(result));
        assert_eq!(journal.find(one, &call("b")).await, None);
        assert_eq!(journal.find(two, &call("a")).await, None);
        std::fs::write(folder.path().join(name(one)), "{").unwrap();
        assert_eq!(journal.find(one, &call("a")).await, None);
    }
}
