//! Being woken when a folder changes.

use super::MailboxError;
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Even without being woken, a reader looks this often: some file systems don't tell.
const SAFETY_LOOK: Duration = Duration::from_secs(5);

/// Wakes whoever waits when something in a folder changes.
///
/// Changes are not counted or queued: the reader looks at the folder itself, so that nothing can be dropped.
#[derive(Debug)]
pub struct FolderWatch {
    folder: PathBuf,
    changed: Arc<Notify>,
    // Held for its Drop, which ends the watch.
    _watcher: RecommendedWatcher,
}

impl FolderWatch {
    /// Begins to watch.
    pub fn start(folder: &Path) -> Result<Self, MailboxError> {
        let changed = Arc::new(Notify::new());
        let wake = Arc::clone(&changed);
        let error = |source| MailboxError::Watch {
            path: folder.to_owned(),
            source,
        };
        let mut watcher = RecommendedWatcher::new(
            move |event: notify::Result<Event>| {
                if event.as_ref().map_or(true, matters) {
                    wake.notify_one();
                }
            },
            Config::default(),
        )
        .map_err(error)?;
        watcher
            .watch(folder, RecursiveMode::NonRecursive)
            .map_err(error)?;
        Ok(Self {
            folder: folder.to_owned(),
            changed,
            _watcher: watcher,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns when something may have changed since it last returned. Safe to drop and call again.
    pub async fn changed(&self) {
        // A timeout is not an error: it is the look that happens in any case.
        let _ = tokio::time::timeout(SAFETY_LOOK, self.changed.notified()).await;
    }
}

/// Our own reading makes events too, which must not wake us.
fn matters(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(notify::event::AccessMode::Write)) => true,
        EventKind::Access(_) => event.need_rescan(),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

/// Waits until a file is there, and returns its bytes; a file that was there before counts.
pub async fn wait_for(
    folder: &Path,
    name: &str,
    deadline: Instant,
    cancel: &CancellationToken,
) -> Result<Vec<u8>, MailboxError> {
    let watch = FolderWatch::start(folder)?;
    loop {
        if let Some(bytes) = super::inbox::read_whole(&folder.join(name), super::inbox::MAX_FILE)? {
            return Ok(bytes);
        }
        tokio::select! {
            () = watch.changed() => {}
            () = tokio::time::sleep_until(deadline) => return Err(MailboxError::Timeout { name: name.to_owned() }),
            () = cancel.cancelled() => return Err(MailboxError::Cancelled { name: name.to_owned() }),
        }
    }
}
