//! The stores in SQLite pass the suites, share a file between processes, and lose nothing when a process dies.
#![cfg(all(feature = "testing", feature = "sqlite"))]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod killed;

use jiff::Timestamp;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use sympozium_core::error::Classify;
use sympozium_core::ids::RunUid;
use sympozium_core::store::sql::SqlStore;
use sympozium_core::store::{
    Account, Amount, AuditKind, AuditLog, AuditRecord, Charge, Ledger, Reservation, Reserve, Scope, Window,
};
use sympozium_core::testing;
use tokio::task::JoinSet;
use uuid::Uuid;

async fn all_suites(store: &SqlStore) {
    testing::session_store(store).await;
    testing::step_log(store).await;
    testing::ledger(store).await;
    testing::audit_log(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_the_contracts() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(&folder.path().join("s.db")).await.unwrap();
    all_suites(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_memory_keeps_the_contracts() {
    all_suites(&SqlStore::sqlite_in_memory().await.unwrap()).await;
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

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_stores_on_one_file_share_a_budget_without_overshoot_or_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    // Opened at the same time on a file that is not there yet, as by processes that start together.
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let path = path.clone();
        opening.spawn(async move { SqlStore::sqlite(&path).await.unwrap() });
    }
    let stores = opening.join_all().await;
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
}

#[tokio::test]
async fn the_file_and_the_folders_made_for_it_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/deep/s.db");
    let store = SqlStore::sqlite(&path).await.unwrap();
    store
        .reserve(&reservation(&account(), 1, None), now())
        .await
        .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("new")), 0o700);
    assert_eq!(mode(&folder.path().join("new/deep")), 0o700);
    for entry in std::fs::read_dir(folder.path().join("new/deep")).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn what_can_not_be_opened_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqlStore::sqlite(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), "store-unavailable");
    let garbage = folder.path().join("garbage.db");
    std::fs::write(
        &garbage,
        "this is no database, but it is long enough to be read as one".repeat(100),
    )
    .unwrap();
    let error = SqlStore::sqlite(&garbage).await.unwrap_err();
    assert_eq!(error.kind(), "store-unavailable");
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let store = SqlStore::sqlite_in_memory().await.unwrap();
    store.close().await;
    let error = store.held(&account()).await.unwrap_err();
    assert_eq!(error.kind(), "store-unavailable");
}

const CHILD: &str = "SYMPOZIUM_TEST_WRITES_TO";

/// Not a test of its own: the process that the next test kills. It says each entry that was stored.
#[tokio::test]
async fn a_process_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let store = SqlStore::sqlite(Path::new(&path)).await.unwrap();
    let run = RunUid(Uuid::nil());
    loop {
        let record = AuditRecord {
            id: Uuid::new_v4(),
            run,
            at: now(),
            kind: AuditKind::ToolCall,
            detail: serde_json::json!({}),
        };
        store.append(&record).await.unwrap();
        println!("stored {}", record.id);
    }
}

#[tokio::test]
async fn what_was_stored_survives_a_killed_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_process_that_writes_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said: Vec<Uuid> = Vec::new();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        let line = line.unwrap();
        if let Some((_, id)) = line.rsplit_once("stored ") {
            said.push(id.parse().unwrap());
        }
        if said.len() == 200 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said.len() >= 200, "the child was to write until it was killed");

    let store = SqlStore::sqlite(&path).await.unwrap();
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = store
            .read(RunUid(Uuid::nil()), cursor.as_deref(), 1000)
            .await
            .unwrap();
        found.extend(page.items.into_iter().map(|record| record.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    // The last entry may have been stored without the child having had the time to say so.
    assert_eq!(found[..said.len()], said[..]);
    assert!(found.len() <= said.len() + 1);
    store
        .append(&AuditRecord {
            id: Uuid::new_v4(),
            run: RunUid(Uuid::nil()),
            at: now(),
            kind: AuditKind::RunEnded,
            detail: serde_json::Value::Null,
        })
        .await
        .unwrap();
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
async fn a_process_that_works_until_it_is_killed() {
    if let Some(path) = killed::store_of_child() {
        let store = SqlStore::sqlite(Path::new(&path)).await.unwrap();
        killed::work_until_killed(&store).await;
    }
}

#[tokio::test]
async fn what_a_killed_process_had_begun_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let last = killed::kill_while_it_works("a_process_that_works_until_it_is_killed", path.to_str().unwrap());
    let store = SqlStore::sqlite(&path).await.unwrap();
    killed::what_it_had_begun_is_taken_up(&store, last).await;
}
