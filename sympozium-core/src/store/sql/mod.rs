//! The four stores in a SQL database: [`SqlStore`], on SQLite (feature `sqlite`) or PostgreSQL (feature `postgres`).
//!
//! One engine: the statements are the same text for both databases. Everything that decides something (what a
//! reservation does to accounts, what is searched, where a page ends) is pure and shared with the store in memory.
//!
//! Times are kept to the microsecond; what is finer is cut off.

mod audit;
mod connection;
mod json;
mod ledger;
mod migrations;
#[cfg(feature = "postgres")]
mod postgres;
mod sessions;
#[cfg(feature = "sqlite")]
mod sqlite;
mod steps;

use connection::Database;

/// Sessions, steps, money and the audit record in one SQL database. Cheap to clone: clones share the connections.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # use sympozium_core::{ids::RunUid, store::{AuditLog, sql::SqlStore}};
/// let store = SqlStore::sqlite_in_memory().await?;
/// let page = store.read(RunUid::random(), None, 10).await?;
/// assert!(page.items.is_empty());
/// # Ok::<(), sympozium_core::store::StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SqlStore {
    database: Database,
}

impl SqlStore {
    async fn prepared(database: Database) -> Result<Self, super::StoreError> {
        migrations::migrate(&database).await?;
        Ok(Self { database })
    }

    /// Closes the connections of all clones, and waits until they are closed. Whatever is asked afterwards is
    /// answered with [`StoreError::Unavailable`](super::StoreError::Unavailable).
    pub async fn close(&self) {
        self.database.close().await;
    }
}
