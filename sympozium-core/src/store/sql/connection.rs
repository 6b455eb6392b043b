//! The two databases behind one small face: statements with `$1` arguments in, rows out.
//!
//! Only 64-bit numbers, texts and UUIDs travel, because both databases treat those alike. Knows no table.

use crate::store::StoreError;
use std::time::Duration;
use uuid::Uuid;

/// How long one statement may take, the wait for a connection and for locks included, before the database counts as
/// unavailable. Longer than the databases' own timeouts, so that those speak first.
const DEADLINE: Duration = Duration::from_secs(20);

/// An argument of a statement.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    Int(i64),
    Text(String),
    OptText(Option<String>),
    Uuid(Uuid),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::OptText(value)
    }
}

impl From<Uuid> for Arg {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

/// Builds a statement's arguments: `args![id, 7, "text"]`.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$($crate::store::sql::connection::Arg::from($arg)),*] };
}
pub(super) use args;

/// A query of sqlx with its arguments bound, for whichever database the context wants.
macro_rules! bound {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query($sql);
        for arg in $args {
            query = match arg {
                Arg::Int(value) => query.bind(value),
                Arg::Text(value) => query.bind(value),
                Arg::OptText(value) => query.bind(value),
                Arg::Uuid(value) => query.bind(value),
            };
        }
        query
    }};
}

/// Pools of connections.
#[derive(Debug, Clone)]
pub(super) enum Database {
    /// One connection that writes, because SQLite has one writer at a time, and some that read beside it.
    #[cfg(feature = "sqlite")]
    Sqlite {
        writer: sqlx::SqlitePool,
        readers: sqlx::SqlitePool,
    },
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
}

impl Database {
    /// Begins a transaction that will write.
    pub(super) async fn begin(&self, step: &'static str) -> Result<Transaction, StoreError> {
        let inner = match self {
            // Taking the write lock at once waits for other processes here, where waiting works; a transaction that
            // read first would fail when it wants to write.
            #[cfg(feature = "sqlite")]
            Self::Sqlite { writer, .. } => {
                Inner::Sqlite(within(step, writer.begin_with("BEGIN IMMEDIATE")).await?)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => Inner::Postgres(within(step, pool.begin()).await?),
        };
        Ok(Transaction { inner, step })
    }

    /// Runs one statement that is a transaction by itself, and returns how many rows it changed.
    ///
    /// Each statement is a way to the database and back; beginning and committing around a single one are two more.
    pub(super) async fn execute(
        &self,
        step: &'static str,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<u64, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite { writer, .. } => {
                let done = within(step, bound!(sql, args).execute(writer)).await?;
                Ok(done.rows_affected())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => {
                let done = within(step, bound!(sql, args).execute(pool)).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Reads outside a transaction.
    pub(super) async fn fetch(
        &self,
        step: &'static str,
        sql: impl sqlx::SqlSafeStr,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite { readers, .. } => {
                let rows = within(step, bound!(sql, args).fetch_all(readers)).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => {
                let rows = within(step, bound!(sql, args).fetch_all(pool)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Closes all connections and waits until they are closed.
    pub(super) async fn close(&self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction that is rolled back unless it is committed.
pub(super) struct Transaction {
    inner: Inner,
    step: &'static str,
}

enum Inner {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Transaction {
    /// Runs a statement and returns how many rows it changed.
    pub(super) async fn execute(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<u64, StoreError> {
        let step = self.step;
        match &mut self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(tx) => {
                let done = within(step, bound!(sql, args).execute(&mut **tx)).await?;
                Ok(done.rows_affected())
            }
            #[cfg(feature = "postgres")]
            Inner::Postgres(tx) => {
                let done = within(step, bound!(sql, args).execute(&mut **tx)).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Runs several statements without arguments.
    pub(super) async fn execute_all(&mut self, sql: &'static str) -> Result<(), StoreError> {
        use sqlx::Executor;
        let step = self.step;
        match &mut self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(tx) => within(step, (&mut **tx).execute(sqlx::raw_sql(sql)))
                .await
                .map(drop),
            #[cfg(feature = "postgres")]
            Inner::Postgres(tx) => within(step, (&mut **tx).execute(sqlx::raw_sql(sql)))
                .await
                .map(drop),
        }
    }

    /// Runs a statement and returns its first row, if it has one.
    pub(super) async fn fetch_optional(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        let step = self.step;
        match &mut self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(tx) => {
                let row = within(step, bound!(sql, args).fetch_optional(&mut **tx)).await?;
                Ok(row.map(Row::Sqlite))
            }
            #[cfg(feature = "postgres")]
            Inner::Postgres(tx) => {
                let row = within(step, bound!(sql, args).fetch_optional(&mut **tx)).await?;
                Ok(row.map(Row::Postgres))
            }
        }
    }

    /// Makes everything lasting.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(tx) => within(self.step, tx.commit()).await,
            #[cfg(feature = "postgres")]
            Inner::Postgres(tx) => within(self.step, tx.commit()).await,
        }
    }

    /// Undoes everything, at once rather than when the connection is used next, so that no lock lingers.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(tx) => within(self.step, tx.rollback()).await,
            #[cfg(feature = "postgres")]
            Inner::Postgres(tx) => within(self.step, tx.rollback()).await,
        }
    }

    /// True on PostgreSQL, where several transactions write at the same time.
    #[cfg(feature = "postgres")]
    pub(super) fn has_many_writers(&self) -> bool {
        match &self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(_) => false,
            Inner::Postgres(_) => true,
        }
    }
}

/// A row of a result. Columns are read by their place.
pub(super) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

/// One getter per type: the bounds of a generic one would have to name every database.
macro_rules! getter {
    ($name:ident, $type:ty) => {
        pub(super) fn $name(&self, column: usize) -> Result<$type, StoreError> {
            use sqlx::Row as _;
            let value = match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(row) => row.try_get(column),
                #[cfg(feature = "postgres")]
                Self::Postgres(row) => row.try_get(column),
            };
            value.map_err(|error| StoreError::Corrupt {
                what: format!("column {column} of a row"),
                source: error.into(),
            })
        }
    };
}

impl Row {
    getter!(int, i64);
    getter!(opt_int, Option<i64>);
    getter!(text, String);
    getter!(opt_text, Option<String>);
    getter!(uuid, Uuid);
}

/// Waits for the database, but not for ever. Every failure of it means that it is unavailable.
async fn within<T>(
    step: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(StoreError::Unavailable {
            step,
            source: error.into(),
        }),
        Err(elapsed) => Err(StoreError::Unavailable {
            step,
            source: elapsed.into(),
        }),
    }
}
