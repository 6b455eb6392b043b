//! Copies of requests and results, for the record. Requests and results are gone as soon as they have served; the copies
//! stay until the bridge has sent them.

use crate::error::chain;
use crate::ipc::mailbox::{MailboxError, OpenFolder};
use crate::ipc::{ExecResult, FileId};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The folder beside the requests.
const FOLDER: &str = "record";
/// How many copies may lie there before the next command waits.
const MOST_WAITING: usize = 1000;
/// How often a waiting command looks whether there is room.
const LOOK: Duration = Duration::from_millis(100);

/// The record of one executor.
#[derive(Debug)]
pub(super) struct Record {
    folder: OpenFolder,
}

impl Record {
    /// Makes its folder, below that of the requests, if it is not there.
    pub(super) fn open(tools_dir: &Path) -> Result<Self, MailboxError> {
        let path = tools_dir.join(FOLDER);
        match DirBuilder::new().mode(0o775).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(MailboxError::io("make", path)(error));
            }
            Ok(()) | Err(_) => {}
        }
        Ok(Self {
            folder: OpenFolder::open(&path)?,
        })
    }

    /// Waits until there is room, or until it is cancelled: what is done is recorded, or it is not done.
    pub(super) async fn wait_for_room(&self, cancel: &CancellationToken) {
        let mut told = false;
        while self.is_full() && !cancel.is_cancelled() {
            if !told {
                tracing::warn!("the next command waits until former ones are on record");
                told = true;
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// Keeps a request.
    pub(super) fn request(&self, id: &FileId, bytes: &[u8]) {
        self.keep(&format!("exec-request-{id}.json"), bytes);
    }

    /// Keeps a result.
    pub(super) fn result(&self, result: &ExecResult) {
        let name = format!("exec-result-{}.json", result.id);
        match serde_json::to_vec(result) {
            Ok(bytes) => self.keep(&name, &bytes),
            Err(error) => tracing::warn!(%error, name, "a result is not on record"),
        }
    }

    /// Whoever writes in the folder can be in the way. The command's result counts for more.
    fn keep(&self, name: &str, bytes: &[u8]) {
        if let Err(error) = self.folder.write(name, bytes) {
            tracing::warn!(error = chain(&error), "a copy for the record is missing");
        }
    }

    fn is_full(&self) -> bool {
        let mut waiting = 0;
        // What can't be counted is no reason to wait.
        let _ = self.folder.names(MOST_WAITING + 2, |name| {
            waiting += usize::from(!name.starts_with('.'));
        });
        waiting >= MOST_WAITING
    }
}
