//! Opens what outlives a run: the database, and the memories.

use super::config::{Config, Database};
use super::failure::Failure;
use sympozium_core::error::chain;
use sympozium_core::memory::FileMemories;
use sympozium_core::store::StoreError;
use sympozium_core::store::sql::SqlStore;

/// Opens the database, and makes it if it is a file that is not there.
pub(super) async fn open(config: &Config) -> Result<SqlStore, Failure> {
    match config.database()? {
        Database::Sqlite(path) => SqlStore::sqlite(&path).await.map_err(|error| {
            let place = path.display();
            Failure::new(
                exit_of(&error),
                format!("The database {place} can't be used: {}.", chain(&error)),
            )
        }),
        Database::Postgres(url) => SqlStore::postgres(&url).await.map_err(|error| {
            Failure::new(
                exit_of(&error),
                format!("The database in DATABASE_URL can't be used: {}.", chain(&error)),
            )
        }),
    }
}

fn exit_of(error: &StoreError) -> super::failure::Exit {
    match error {
        StoreError::Invalid { .. } => super::failure::Exit::BadInput,
        // Whatever else stands in the way may be gone the next time.
        _ => super::failure::Exit::Failed,
    }
}

/// Where instances' memories are.
pub(super) fn memories(config: &Config) -> Result<FileMemories, Failure> {
    Ok(FileMemories::new(config.data_dir()?.join("memory")))
}
