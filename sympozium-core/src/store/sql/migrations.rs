//! The numbered list of changes that make the tables, and bringing a database up to date with it.
//!
//! One list serves both databases. A published migration is never edited: its checksum is recorded where it ran.

use super::connection::{Database, Transaction, args};
use crate::store::StoreError;
use sha2::{Digest, Sha256};

const STEP: &str = "prepare the database";

/// Any number that no other program is likely to lock in the same database.
#[cfg(feature = "postgres")]
const LOCK: &str = "SELECT pg_advisory_xact_lock(7310582094117)";

/// All migrations in order; the first has version 1. SQL that both databases understand.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/0001_stores.sql")];

/// Applies what is missing, in one transaction. Processes that start together wait for each other.
pub(super) async fn migrate(database: &Database) -> Result<(), StoreError> {
    apply(database, MIGRATIONS).await
}

async fn apply(database: &Database, migrations: &[&'static str]) -> Result<(), StoreError> {
    let mut tx = database.begin(STEP).await?;
    #[cfg(feature = "postgres")]
    if tx.has_many_writers() {
        tx.execute(LOCK, args![]).await?;
    }
    tx.execute(
        "CREATE TABLE IF NOT EXISTS sympozium_migrations (version bigint NOT NULL PRIMARY KEY, sha256 text NOT NULL)",
        args![],
    )
    .await?;
    refuse_newer(&mut tx, migrations.len()).await?;
    for (version, sql) in (1_i64..).zip(migrations) {
        apply_one(&mut tx, version, sql).await?;
    }
    tx.commit().await
}

async fn refuse_newer(tx: &mut Transaction, known: usize) -> Result<(), StoreError> {
    let row = tx
        .fetch_optional("SELECT MAX(version) FROM sympozium_migrations", args![])
        .await?;
    let found = row.map(|row| row.opt_int(0)).transpose()?.flatten().unwrap_or(0);
    if usize::try_from(found).is_ok_and(|found| found <= known) {
        return Ok(());
    }
    Err(StoreError::Invalid {
        step: STEP,
        detail: format!(
            "the database has schema version {found}, and this program knows only up to {known}; use a newer program"
        ),
    })
}

async fn apply_one(tx: &mut Transaction, version: i64, sql: &'static str) -> Result<(), StoreError> {
    let checksum = hex::encode(Sha256::digest(sql.as_bytes()));
    let applied = tx
        .fetch_optional(
            "SELECT sha256 FROM sympozium_migrations WHERE version = $1",
            args![version],
        )
        .await?;
    if let Some(row) = applied {
        if row.text(0)? == checksum {
            return Ok(());
        }
        return Err(StoreError::Invalid {
            step: STEP,
            detail: format!(
                "migration {version} ran here in another form; this is the database of another program"
            ),
        });
    }
    tx.execute_all(sql).await?;
    tx.execute(
        "INSERT INTO sympozium_migrations (version, sha256) VALUES ($1, $2)",
        args![version, checksum],
    )
    .await
    .map(drop)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::error::Classify;
    use crate::store::sql::SqlStore;

    #[tokio::test]
    async fn a_database_of_a_newer_program_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let store = SqlStore::sqlite(&path).await.unwrap();
        let mut tx = store.database.begin("test").await.unwrap();
        tx.execute(
            "INSERT INTO sympozium_migrations (version, sha256) VALUES (99, 'x')",
            args![],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        store.close().await;

        let error = SqlStore::sqlite(&path).await.unwrap_err();
        assert_eq!(error.kind(), "invalid");
        assert!(error.to_string().contains("schema version 99"), "{error}");
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_nothing_behind() {
        let store = SqlStore::sqlite_in_memory().await.unwrap();
        let broken = ["CREATE TABLE half (a bigint); CREATE TABLE nonsense"];
        let migrations: Vec<&'static str> = MIGRATIONS.iter().copied().chain(broken).collect();
        apply(&store.database, &migrations).await.unwrap_err();
        assert!(
            store
                .database
                .fetch("test", "SELECT * FROM half", args![])
                .await
                .is_err()
        );
        apply(&store.database, MIGRATIONS).await.unwrap();
    }

    #[tokio::test]
    async fn an_edited_migration_is_noticed() {
        let store = SqlStore::sqlite_in_memory().await.unwrap();
        let error = apply(&store.database, &["SELECT 1"]).await.unwrap_err();
        assert!(error.to_string().contains("migration 1"), "{error}");
    }
}
