//! Opening a PostgreSQL database: its settings and its connections.

use super::{SqlStore, connection::Database};
use crate::store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::time::Duration;

const STEP: &str = "connect to PostgreSQL";

/// How long to wait for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// Connections of one process. A server's default allows 100 for all.
const CONNECTIONS: u32 = 10;
/// How long a statement may take, and how long it may wait for a lock.
const TIMEOUTS: [(&str, &str); 3] = [
    ("statement_timeout", "10s"),
    ("lock_timeout", "8s"),
    // A process that hangs in a transaction must not hold its locks for ever.
    ("idle_in_transaction_session_timeout", "30s"),
];

impl SqlStore {
    /// Connects to a database, such as `postgres://user:password@host/database`, and makes the tables if they are
    /// missing. Fails when the server can't be reached within 5 seconds.
    pub async fn postgres(url: &SecretString) -> Result<Self, StoreError> {
        let options = parse(url)?;
        let options = options.application_name("sympozium").options(TIMEOUTS);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await
            .map_err(|error| StoreError::Unavailable {
                step: STEP,
                source: error.into(),
            })?;
        Self::prepared(Database::Postgres(pool)).await
    }
}

/// The driver takes a URL of any scheme, so that is checked here. Parsers' own words could quote the password.
fn parse(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    let bad = || StoreError::Invalid {
        step: STEP,
        detail: "the URL is not of the form postgres://user:password@host/database".to_owned(),
    };
    let url = url::Url::parse(url.expose_secret()).map_err(|_| bad())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(bad());
    }
    url.as_str().parse().map_err(|_| bad())
}
