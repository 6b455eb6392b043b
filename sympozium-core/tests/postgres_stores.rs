//! The stores in PostgreSQL pass the suites, and outlive lost connections.
//!
//! They need `SYMPOZIUM_TEST_POSTGRES`: the URL of a server and user that may make databases. Every test makes its own
//! and removes it.
#![cfg(all(feature = "testing", feature = "postgres"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, in its helpers too"
)]

mod killed;

use futures::FutureExt;
use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;
use sympozium_core::error::{Classify, chain};
use sympozium_core::ids::RunUid;
use sympozium_core::store::sql::SqlStore;
use sympozium_core::store::{Account, Amount, Charge, Ledger, Reservation, Reserve, Scope, Window};
use sympozium_core::testing;
use tokio::task::JoinSet;
use uuid::Uuid;

fn server() -> url::Url {
    let text = std::env::var("SYMPOZIUM_TEST_POSTGRES").expect("SYMPOZIUM_TEST_POSTGRES has to be set");
    text.parse().expect("SYMPOZIUM_TEST_POSTGRES has to be a URL")
}

/// A database of one test.
struct TestDatabase {
    url: SecretString,
    text: String,
}

impl TestDatabase {
    async fn store(&self) -> SqlStore {
        SqlStore::postgres(&self.url).await.unwrap()
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.text).await.unwrap()
    }
}

/// Runs a test on a new database, and removes the database however the test ends.
async fn with_database<F: Future<Output = ()>>(test: impl FnOnce(TestDatabase) -> F) {
    let server = server();
    let name = format!("sympozium_test_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(server.as_str()).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut admin)
        .await
        .unwrap();
    let mut url = server.clone();
    url.set_path(&name);
    let database = TestDatabase {
        url: SecretString::from(url.as_str()),
        text: url.into(),
    };
    let result = AssertUnwindSafe(test(database)).catch_unwind().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .execute(&mut admin)
        .await
        .unwrap();
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn account() -> Account {
    Account {
        scope: Scope::Run(RunUid::random()),
        window: Window::Total,
    }
}

fn reservation(account: &Account, tokens: u64, max_tokens: Option<u64>) -> Reservation {
    Reservation {
        id: Uuid::new_v4(),
        amount: Amount { tokens, micro_usd: 0 },
        charges: vec![Charge {
            account: account.clone(),
            max_tokens,
            max_micro_usd: None,
            rule: "test".to_owned(),
        }],
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn the_stores_keep_their_contracts() {
    with_database(async |database: TestDatabase| {
        let store = database.store().await;
        testing::session_store(&store).await;
        testing::step_log(&store).await;
        testing::ledger(&store).await;
        testing::audit_log(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn several_processes_share_a_budget_without_overshoot() {
    with_database(async |database: TestDatabase| {
        // Opened at the same time on an empty database, as by processes that start together.
        let stores = futures::future::join_all((0..3).map(|_| database.store())).await;
        let account = account();
        let mut tasks = JoinSet::new();
        for i in 0..200 {
            let (store, account) = (stores[i % stores.len()].clone(), account.clone());
            tasks.spawn(async move {
                let reservation = reservation(&account, 3, Some(100));
                store.reserve(&reservation, now()).await.unwrap() == Reserve::Granted
            });
        }
        let granted = tasks
            .join_all()
            .await
            .into_iter()
            .filter(|granted| *granted)
            .count();
        assert_eq!(granted, 33);
        assert_eq!(stores[0].held(&account).await.unwrap().tokens, 99);
    })
    .await;
}

/// Waits until a connection of a store waits for a lock, and says which.
async fn blocked_backend(admin: &mut PgConnection) -> i32 {
    let look = async {
        loop {
            let row = sqlx::query(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                 AND application_name = 'sympozium' AND wait_event_type = 'Lock'",
            )
            .fetch_optional(&mut *admin)
            .await
            .unwrap();
            if let Some(row) = row {
                return row.get::<i32, _>(0);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), look)
        .await
        .expect("the store waits for the lock")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn a_connection_lost_in_a_transaction_charges_nothing_and_the_next_call_works() {
    with_database(async |database: TestDatabase| {
        let store = database.store().await;
        let account = account();
        let first = reservation(&account, 5, Some(10));
        store.reserve(&first, now()).await.unwrap();

        let (mut holder, mut admin) = (database.connection().await, database.connection().await);
        let mut lock = holder.begin().await.unwrap();
        sqlx::query("SELECT 1 FROM ledger_accounts FOR UPDATE")
            .execute(&mut *lock)
            .await
            .unwrap();
        let second = reservation(&account, 4, Some(10));
        let waiting = tokio::spawn({
            let (store, second) = (store.clone(), second.clone());
            async move { store.reserve(&second, now()).await }
        });
        let pid = blocked_backend(&mut admin).await;
        sqlx::query("SELECT pg_terminate_backend($1)")
            .bind(pid)
            .execute(&mut admin)
            .await
            .unwrap();
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), "store-unavailable", "{}", chain(&error));
        lock.rollback().await.unwrap();

        assert_eq!(store.held(&account).await.unwrap().tokens, 5);
        assert_eq!(store.reserve(&second, now()).await.unwrap(), Reserve::Granted);
        assert_eq!(store.held(&account).await.unwrap().tokens, 9);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn a_store_recovers_when_all_its_idle_connections_are_gone() {
    with_database(async |database: TestDatabase| {
        let store = database.store().await;
        let account = account();
        store.held(&account).await.unwrap();
        let mut admin = database.connection().await;
        let killed = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'sympozium'",
        )
        .fetch_all(&mut admin)
        .await
        .unwrap();
        assert!(!killed.is_empty());
        let one = reservation(&account, 1, None);
        let recovered = async {
            while let Err(error) = store.reserve(&one, now()).await {
                assert_eq!(error.kind(), "store-unavailable", "{}", chain(&error));
            }
        };
        tokio::time::timeout(Duration::from_secs(10), recovered)
            .await
            .unwrap();
        assert_eq!(store.held(&account).await.unwrap().tokens, 1);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn a_lock_that_is_never_released_makes_the_store_unavailable() {
    with_database(async |database: TestDatabase| {
        let store = database.store().await;
        let account = account();
        store
            .reserve(&reservation(&account, 1, None), now())
            .await
            .unwrap();
        let mut holder = database.connection().await;
        let mut lock = holder.begin().await.unwrap();
        sqlx::query("SELECT 1 FROM ledger_accounts FOR UPDATE")
            .execute(&mut *lock)
            .await
            .unwrap();
        let error = store
            .reserve(&reservation(&account, 1, None), now())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "store-unavailable", "{}", chain(&error));
        lock.rollback().await.unwrap();
        assert_eq!(store.held(&account).await.unwrap().tokens, 1);
    })
    .await;
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
async fn a_process_that_works_until_it_is_killed() {
    if let Some(url) = killed::store_of_child() {
        let store = SqlStore::postgres(&SecretString::from(url)).await.unwrap();
        killed::work_until_killed(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn what_a_killed_process_had_begun_is_taken_up() {
    with_database(async |database: TestDatabase| {
        let last = killed::kill_while_it_works("a_process_that_works_until_it_is_killed", &database.text);
        let store = database.store().await;
        killed::what_it_had_begun_is_taken_up(&store, last).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn a_database_of_a_newer_program_is_refused() {
    with_database(async |database: TestDatabase| {
        database.store().await.close().await;
        let mut admin = database.connection().await;
        sqlx::query("INSERT INTO sympozium_migrations (version, sha256) VALUES (99, 'x')")
            .execute(&mut admin)
            .await
            .unwrap();
        let error = SqlStore::postgres(&database.url).await.unwrap_err();
        assert!(error.to_string().contains("schema version 99"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_url_that_can_not_be_used_is_refused_without_telling_the_password() {
    for (url, kind) in [
        ("postgres://user:s3cret@127.0.0.1:1/db", "store-unavailable"),
        ("s3cret", "invalid"),
        ("mysql://user:s3cret@host/db", "invalid"),
        ("postgres://user:s3cret@127.0.0.1:port/db", "invalid"),
    ] {
        let error = SqlStore::postgres(&SecretString::from(url)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", chain(&error));
        assert!(!chain(&error).contains("s3cret"), "{}", chain(&error));
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}
