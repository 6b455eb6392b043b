//! Being woken when a folder changes.

use super::{MailboxError, OpenFolder};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind};
use std::{
    collections::BTreeMap,
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
    folder: OpenFolder,
    changed: Arc<Notify>,
    // Held for its Drop, which ends the watch.
    _watcher: Arc<RecommendedWatcher>,
}

impl FolderWatch {
    /// Opens a folder and begins to watch it.
    pub fn start(folder: &Path) -> Result<Self, MailboxError> {
        let folder = OpenFolder::open(folder)?;
        let changed = Arc::new(Notify::new());
        let watcher = watch(&[(folder.clone(), Arc::clone(&changed))])?;
        Ok(Self {
            folder,
            changed,
            _watcher: watcher,
        })
    }

    /// Begins to watch several folders, one watch each, in this order; a folder may be among them more than once. Together
    /// they take one of the few watchers that the system gives a user (128 on Linux).
    pub fn start_all<const N: usize>(folders: [OpenFolder; N]) -> Result<[Self; N], MailboxError> {
        let all = folders.map(|folder| (folder, Arc::new(Notify::new())));
        let watcher = watch(&all)?;
        Ok(all.map(|(folder, changed)| Self {
            folder,
            changed,
            _watcher: Arc::clone(&watcher),
        }))
    }

    /// As [`start_all`](Self::start_all), where their number is not known before.
    pub fn start_each(folders: Vec<OpenFolder>) -> Result<Vec<Self>, MailboxError> {
        let woken = |folder| (folder, Arc::new(Notify::new()));
        let all: Vec<_> = folders.into_iter().map(woken).collect();
        let watcher = watch(&all)?;
        let started = all.into_iter().map(|(folder, changed)| Self {
            folder,
            changed,
            _watcher: Arc::clone(&watcher),
        });
        Ok(started.collect())
    }

    /// The folder.
    pub fn folder(&self) -> &OpenFolder {
        &self.folder
    }

    /// Returns when something may have changed since it last returned. Safe to drop and call again.
    pub async fn changed(&self) {
        // A timeout is not an error: it is the look that happens in any case.
        let _ = tokio::time::timeout(SAFETY_LOOK, self.changed.notified()).await;
    }
}

/// One watcher of these folders, which wakes whoever waits for the folder that an event is about.
fn watch(folders: &[(OpenFolder, Arc<Notify>)]) -> Result<Arc<RecommendedWatcher>, MailboxError> {
    // The kernel has one watch for a folder, however it is reached, so each is watched by one path.
    let mut paths = BTreeMap::new();
    for (folder, _) in folders {
        paths
            .entry(folder.identity())
            .or_insert_with(|| (folder.magic_path(), folder.path().to_owned()));
    }
    let wakes: Vec<(PathBuf, Arc<Notify>)> = folders
        .iter()
        .filter_map(|(folder, changed)| {
            let (watched, _) = paths.get(&folder.identity())?;
            Some((watched.clone(), Arc::clone(changed)))
        })
        .collect();
    let wake = move |event: notify::Result<Event>| {
        for (folder, changed) in &wakes {
            if concerns(event.as_ref().ok(), folder) {
                changed.notify_one();
            }
        }
    };
    let error = |path: &Path| {
        let path = path.to_owned();
        move |source| MailboxError::Watch { path, source }
    };
    let first = paths.values().next().map(|(_, path)| path.clone());
    let watcher = RecommendedWatcher::new(wake, Config::default());
    let mut watcher = watcher.map_err(error(&first.unwrap_or_default()))?;
    for (watched, path) in paths.values() {
        watcher
            .watch(watched, RecursiveMode::NonRecursive)
            .map_err(error(path))?;
    }
    Ok(Arc::new(watcher))
}

/// Whether the reader of a folder has to look. Without a path, or when events were lost, it may be about any folder.
fn concerns(event: Option<&Event>, folder: &Path) -> bool {
    event.is_none_or(|event| {
        event.need_rescan()
            || matters(event) && (event.paths.is_empty() || event.paths.iter().any(|p| p.starts_with(folder)))
    })
}

/// Our own reading makes events too, which must not wake us.
fn matters(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(notify::event::AccessMode::Write)) => true,
        EventKind::Access(_) => false,
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
        if let Some(bytes) = watch.folder().read(name, super::inbox::MAX_FILE)? {
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

    #[test]
    fn lost_events_wake_every_reader_and_our_own_reading_wakes_nobody() {
        let (folder, file) = (Path::new("/f"), PathBuf::from("/f/a"));
        let event = |kind| Event::new(kind).add_path(file.clone());
        let opened = EventKind::Access(AccessKind::Open(notify::event::AccessMode::Any));
        let renamed = EventKind::Modify(notify::event::ModifyKind::Any);
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        for (event, wakes) in [
            (None, true),
            (Some(lost), true),
            (Some(event(opened)), false),
            (Some(event(renamed)), true),
            (Some(Event::new(renamed)), true),
            (Some(Event::new(renamed).add_path("/g/a".into())), false),
        ] {
            assert_eq!(concerns(event.as_ref(), folder), wakes, "{event:?}");
        }
    }

    #[tokio::test]
    async fn of_several_folders_only_the_one_that_changed_wakes_its_reader() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "a"].map(|name| root.path().join(name));
        fs::create_dir(&folders[0]).unwrap();
        fs::create_dir(&folders[1]).unwrap();
        let opened = folders.clone().map(|folder| OpenFolder::open(&folder).unwrap());
        let [first, other, second] = FolderWatch::start_all(opened).unwrap();
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
