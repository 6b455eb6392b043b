//! Files below the run's folders and nowhere else: [`JailedFiles`].

use crate::tools::{Entry, EntryKind, FilePiece, Files, Listing, Trouble};
use async_trait::async_trait;
use std::sync::Arc;
use sympozium_core::error::chain;
use sympozium_core::jail::{self, Access, Jail, JailError, Root};
use sympozium_core::run::{FolderMount, RunnerConfig};

/// The folders of a run.
#[derive(Debug, Clone)]
pub(crate) struct JailedFiles {
    jail: Arc<Jail>,
}

impl JailedFiles {
    /// Opens the folders of a configuration; relative paths begin in its workspace.
    pub(crate) fn open(config: &RunnerConfig) -> Result<Self, JailError> {
        let mounts = std::iter::once(&config.workspace)
            .chain(&config.folders)
            .chain(&config.skills);
        let jail = Jail::open(mounts.map(root).collect())?;
        Ok(Self { jail: Arc::new(jail) })
    }

    /// File work blocks, so it is done where that is allowed. It goes on when the caller is dropped: it is short.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Jail) -> Result<T, JailError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let jail = Arc::clone(&self.jail);
        match tokio::task::spawn_blocking(move || work(&jail)).await {
            Ok(done) => done.map_err(|error| Trouble(format!("{}.", chain(&error)))),
            Err(error) => Err(Trouble(format!("The file could not be used: {error}."))),
        }
    }
}

fn root(mount: &FolderMount) -> Root {
    Root {
        mount: mount.mount.clone(),
        dir: mount.dir.clone(),
        access: if mount.read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        },
    }
}

#[async_trait]
impl Files for JailedFiles {
    async fn read(&self, path: &str, offset: u64, limit: usize) -> Result<FilePiece, Trouble> {
        let path = path.to_owned();
        let read = move |jail: &Jail| jail.read(&jail.resolve(&path)?, offset, limit as u64);
        let content = self.blocking(read).await?;
        Ok(FilePiece {
            bytes: content.bytes,
            total: content.size,
        })
    }

    async fn write(&self, path: &str, content: &str) -> Result<(), Trouble> {
        let (path, content) = (path.to_owned(), content.to_owned());
        self.blocking(move |jail| jail.write(&jail.resolve(&path)?, content.as_bytes()))
            .await
    }

    async fn list(&self, path: &str, limit: usize) -> Result<Listing, Trouble> {
        let path = path.to_owned();
        let (found, total) = self
            .blocking(move |jail| jail.list(&jail.resolve(&path)?))
            .await?;
        let entries = found.into_iter().take(limit).map(|entry| Entry {
            name: entry.name,
            kind: kind(entry.kind),
            size: entry.size,
        });
        Ok(Listing {
            entries: entries.collect(),
            total,
        })
    }
}

const fn kind(kind: jail::EntryKind) -> EntryKind {
    match kind {
        jail::EntryKind::Directory => EntryKind::Directory,
        jail::EntryKind::File => EntryKind::File,
        jail::EntryKind::Link => EntryKind::Link,
        jail::EntryKind::Other => EntryKind::Other,
    }
}
