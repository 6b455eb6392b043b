//! Being woken when a folder changes.

use super::MailboxError;
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind};
use std::{
    collections::BTreeSet,
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
    _watcher: Arc<RecommendedWatcher>,
}

impl FolderWatch {
    /// Begins to watch.
    pub fn start(folder: &Path) -> Result<Self, MailboxError> {
        let changed = Arc::new(Notify::new());
        let watcher = watch(vec![(folder.to_owned(), Arc::clone(&changed))])?;
        Ok(Self {
            folder: folder.to_owned(),
            changed,
            _watcher: watcher,
        })
    }

    /// Begins to watch several folders, one watch each, in this order; a folder may be among them more than once. Together
    /// they take one of the few watchers that the system gives a user (128 on Linux).
    pub fn start_all<const N: usize>(folders: [PathBuf; N]) -> Result<[Self; N], MailboxError> {
        let all = folders.map(|folder| (folder, Arc::new(Notify::new())));
        let watcher = watch(all.to_vec())?;
        Ok(all.map(|(folder, changed)| Self {
            folder,
            changed,
            _watcher: Arc::clone(&watcher),
        }))
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

/// One watcher of these folders, which wakes whoever waits for the folder that an event is about.
fn watch(folders: Vec<(PathBuf, Arc<Notify>)>) -> Result<Arc<RecommendedWatcher>, MailboxError> {
    let paths: BTreeSet<PathBuf> = folders.iter().map(|(folder, _)| folder.clone()).collect();
    let wake = move |event: notify::Result<Event>| {
        if !event.as_ref().map_or(true, matters) {
            return;
        }
        for (folder, changed) in &folders {
            // Without a path, or when events were lost, it may be about any of them.
            let concerns = event.as_ref().map_or(true, |event| {
                event.need_rescan()
                    || event.paths.is_empty()
                    || event.paths.iter().any(|p| p.starts_with(folder))
            });
            if concerns {
                changed.notify_one();
            }
        }
    };
    let error = |path: &Path| {
        let path = path.to_owned();
        move |source| MailboxError::Watch { path, source }
    };
    let first = paths.first().cloned().unwrap_or_default();
    let mut watcher = RecommendedWatcher::new(wake, Config::default()).map_err(error(&first))?;
    for path in &paths {
        watcher
            .watch(path, RecursiveMode::NonRecursive)
            .map_err(error(path))?;
    }
    Ok(Arc::new(watcher))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn of_several_folders_only_the_one_that_changed_wakes_its_reader() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "a"].map(|name| root.path().join(name));
        fs::create_dir(&folders[0]).unwrap();
        fs::create_dir(&folders[1]).unwrap();
        let [first, other, second] = FolderWatch::start_all(folders.clone()).unwrap();
        fs::write(folders[0].join("file"), "").unwrap();
        for watch in [&first, &second] {
            let woken = tokio::time::timeout(SAFETY_LOOK / 2, watch.changed()).await;
            assert!(woken.is_ok(), "whoever reads the folder is woken");
        }
        assert!(futures::FutureExt::now_or_never(other.changed()).is_none());
        fs::write(folders[1].join("file"), "").unwrap();
        let woken = tokio::time::timeout(SAFETY_LOOK / 2, other.changed()).await;
        assert!(woken.is_ok(), "the other one is woken by its own folder");
    }
}
