//! Memories as Markdown files that people can read and edit: [`FileMemories`], one `<namespace>/<instance>.md` each.
//!
//! A file is replaced whole, so that readers see the old text or the new one. Writers of all processes take turns by
//! a lock on `<namespace>/.<instance>.lock`. A person's own edit changes the version, as any other save does.

use super::version::{MAX_BYTES, check_save, versioned};
use super::{Memory, MemoryStore};
use crate::error::BoxError;
use crate::ids::InstanceRef;
use crate::store::StoreError;
use async_trait::async_trait;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait while another process writes. A write takes milliseconds.
const LOCK_DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait between two looks at the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Keeps memories below a folder, for its owner alone (folders 0700, files 0600). Needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct FileMemories {
    root: PathBuf,
}

impl FileMemories {
    /// A store in this folder, which is made when something is saved.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn place(&self, instance: &InstanceRef) -> Place {
        let folder = self.root.join(instance.namespace.as_str());
        Place {
            file: folder.join(format!("{}.md", instance.name)),
            lock: folder.join(format!(".{}.lock", instance.name)),
            folder,
            instance: instance.clone(),
        }
    }
}

#[async_trait]
impl MemoryStore for FileMemories {
    async fn load(&self, instance: &InstanceRef) -> Result<Option<Memory>, StoreError> {
        let place = self.place(instance);
        blocking("load a memory", move || Ok(place.read()?.map(versioned))).await
    }

    async fn save(&self, instance: &InstanceRef, memory: Memory) -> Result<Memory, StoreError> {
        let place = self.place(instance);
        blocking("save a memory", move || place.save(memory)).await
    }

    async fn clear(&self, instance: &InstanceRef) -> Result<(), StoreError> {
        let place = self.place(instance);
        blocking("clear a memory", move || place.clear()).await
    }
}

/// Runs file work where it may block. The work goes on if the caller is dropped: it is short, and whole or not at all.
async fn blocking<T: Send + 'static>(
    step: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(unavailable(step)(error)),
    }
}

/// Where one instance's memory is.
struct Place {
    folder: PathBuf,
    file: PathBuf,
    lock: PathBuf,
    instance: InstanceRef,
}

impl Place {
    fn read(&self) -> Result<Option<String>, StoreError> {
        let file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unavailable("load a memory")(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unavailable("load a memory"))?;
        if bytes.len() > MAX_BYTES {
            return Err(self.corrupt(format!("the file is larger than {MAX_BYTES} bytes")));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|error| self.corrupt(error))
    }

    fn save(&self, memory: Memory) -> Result<Memory, StoreError> {
        let failed = unavailable("save a memory");
        make_folder(&self.folder).map_err(&failed)?;
        let _lock = self.locked("save a memory")?;
        check_save(&self.instance, self.read()?.as_deref(), &memory)?;
        self.replace(&memory.text).map_err(&failed)?;
        Ok(versioned(memory.text))
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        // Made with 0600, in the same folder, so that it can take the file's place in one step.
        let mut new = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(&self.file)?;
        File::open(&self.folder)?.sync_all()
    }

    fn clear(&self) -> Result<(), StoreError> {
        if !self.folder.exists() {
            return Ok(());
        }
        let _lock = self.locked("clear a memory")?;
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable("clear a memory")(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits until no other process, and no other thread of this one, writes this memory. The lock file stays where it
    /// is: were it removed, two writers could hold locks on two files of one name.
    fn locked(&self, step: &'static str) -> Result<File, StoreError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.lock)
            .map_err(unavailable(step))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(unavailable(step)(error)),
                Err(TryLockError::WouldBlock) if begun.elapsed() > LOCK_DEADLINE => {
                    let text = format!("another process holds {}", self.lock.display());
                    return Err(unavailable(step)(text));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            }
        }
    }

    fn corrupt(&self, source: impl Into<BoxError>) -> StoreError {
        StoreError::Corrupt {
            what: format!("the memory of {}", self.instance),
            source: source.into(),
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn unavailable<E: Into<BoxError>>(step: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError::Unavailable {
        step,
        source: source.into(),
    }
}
