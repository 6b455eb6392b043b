//! Opening a SQLite database: its file, its settings, its connections.

use super::{SqlStore, connection::Database};
use crate::store::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::{fs, io, os::unix::fs::DirBuilderExt, os::unix::fs::OpenOptionsExt, os::unix::fs::PermissionsExt};
use std::{path::Path, time::Duration};

const STEP: &str = "open the database file";

/// How long to wait while another process writes.
const BUSY: Duration = Duration::from_secs(10);
/// How long to wait for a connection of the pool, which is how long to wait for this process's own writer.
const ACQUIRE: Duration = Duration::from_secs(15);
/// Connections that read beside the writer.
const READERS: u32 = 4;

impl SqlStore {
    /// Opens the database in a file, and makes it if there is none: the file is for its owner alone (0600), and so are
    /// the folders that have to be made for it (0700). Several processes may have it open.
    ///
    /// What was committed survives the death of the process. After a loss of power the last commits may be missing,
    /// but the database is whole (`synchronous = NORMAL`).
    pub async fn sqlite(path: &Path) -> Result<Self, StoreError> {
        make_file(path).map_err(|error| StoreError::Unavailable {
            step: STEP,
            source: error.into(),
        })?;
        let options = options().filename(path).journal_mode(SqliteJournalMode::Wal);
        let writer = pool(1).connect_with(options.clone()).await.map_err(unavailable)?;
        let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
        Self::prepared(Database::Sqlite { writer, readers }).await
    }

    /// Opens a database that lives in memory and ends with the store.
    pub async fn sqlite_in_memory() -> Result<Self, StoreError> {
        let options = options().in_memory(true);
        let writer = pool(1).connect_with(options).await.map_err(unavailable)?;
        // Every connection to a database in memory would be a database of its own.
        let readers = writer.clone();
        Self::prepared(Database::Sqlite { writer, readers }).await
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .busy_timeout(BUSY)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Normal)
}

fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// SQLite gives its journal files the permissions of the database file, so that one has to be right from the start.
fn make_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable {
        step: STEP,
        source: error.into(),
    }
}
