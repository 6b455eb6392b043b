//! A process that works with a store and is killed in the middle, and what has to be true afterwards.
//!
//! The child is the test program itself, told by an environment variable to work instead of testing.

use jiff::{SignedDuration, Timestamp};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use sympozium_core::error::Classify;
use sympozium_core::ids::{RunUid, StepId};
use sympozium_core::store::{
    Account, Amount, Begin, Charge, Ledger, Reservation, Reserve, Scope, StepClaim, StepKey, StepLog, Window,
};
use uuid::Uuid;

/// Where the child's store is.
const CHILD: &str = "SYMPOZIUM_TEST_STORE_OF_CHILD";
/// What each reservation takes, and what of it is used.
const RESERVED: u64 = 3;
const USED: u64 = 1;

/// Where the store is, if this process is to be the child.
pub(crate) fn store_of_child() -> Option<String> {
    std::env::var(CHILD).ok()
}

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

/// A claim on one step, from second 0 to second 60.
fn claim(owner: u128) -> StepClaim {
    StepClaim {
        key: StepKey {
            run: RunUid(Uuid::nil()),
            step: StepId::new("turn/1").unwrap(),
        },
        request: [7; 32],
        owner: Uuid::from_u128(owner),
        now: at(0),
        lease_until: at(60),
    }
}

fn account() -> Account {
    Account {
        scope: Scope::Run(RunUid(Uuid::nil())),
        window: Window::Total,
    }
}

fn reservation(id: u128, max_tokens: Option<u64>) -> Reservation {
    Reservation {
        id: Uuid::from_u128(id),
        amount: tokens(RESERVED),
        charges: vec![Charge {
            account: account(),
            max_tokens,
            max_micro_usd: None,
            rule: "test".to_owned(),
        }],
    }
}

const fn tokens(tokens: u64) -> Amount {
    Amount { tokens, micro_usd: 0 }
}

/// What the child does: it begins a step that it never finishes, and reserves and settles until it is killed.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) async fn work_until_killed(store: &(impl StepLog + Ledger)) {
    assert_eq!(store.begin(&claim(1)).await.unwrap(), Begin::New);
    for id in 1.. {
        println!("\nreserving {id}");
        let granted = store.reserve(&reservation(id, None), at(1)).await.unwrap();
        assert_eq!(granted, Reserve::Granted);
        println!("reserved {id}");
        // Every second one stays open, as when the answer is still on its way.
        if id % 2 == 0 {
            store
                .settle(Uuid::from_u128(id), tokens(USED), at(2))
                .await
                .unwrap();
        }
    }
}

/// Starts the child (the test of that name) on a store, kills it while it works, and says the last id that it tried.
pub(crate) fn kill_while_it_works(test: &str, store: &str) -> u128 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(CHILD, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut last = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(id) = line.strip_prefix("reserving ") {
            last = id.parse().unwrap();
        }
        if line == "reserved 61" {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(
        last >= 61,
        "the child was to work until it was killed, but got to {last}"
    );
    last
}

/// Checks that nothing of the dead process was lost, and nothing is counted twice when its work is taken up.
pub(crate) async fn what_it_had_begun_is_taken_up(store: &(impl StepLog + Ledger), last: u128) {
    the_step_is_still_taken_until_its_lease_ends(store).await;
    what_was_reserved_stays_reserved(store, last).await;
}

async fn the_step_is_still_taken_until_its_lease_ends(store: &impl StepLog) {
    let dead = Begin::InFlight {
        owner: Uuid::from_u128(1),
        lease_until: at(60),
    };
    let heir = |now, lease_until| StepClaim {
        now,
        lease_until,
        ..claim(2)
    };
    assert_eq!(store.begin(&heir(at(59), at(119))).await.unwrap(), dead);
    let other = StepClaim {
        request: [8; 32],
        ..heir(at(60), at(120))
    };
    assert_eq!(store.begin(&other).await.unwrap(), Begin::Mismatch);
    assert_eq!(store.begin(&heir(at(60), at(120))).await.unwrap(), Begin::New);
    let answer = serde_json::json!("by the heir");
    let step = claim(2);
    store
        .finish(&step.key, step.owner, &answer, at(61))
        .await
        .unwrap();
    assert_eq!(
        store.begin(&heir(at(62), at(122))).await.unwrap(),
        Begin::Done(answer)
    );
    let late = store
        .finish(
            &step.key,
            Uuid::from_u128(1),
            &serde_json::json!("by the dead"),
            at(63),
        )
        .await;
    assert_eq!(late.unwrap_err().kind(), "conflict");
}

async fn what_was_reserved_stays_reserved(store: &impl Ledger, last: u128) {
    let count = u64::try_from(last).unwrap();
    let settled = count / 2;
    let most = RESERVED * (count - settled) + USED * settled;
    let held = store.held(&account()).await.unwrap().tokens;
    // Of the last ones it is not known how far they came.
    assert!(
        held <= most + 2 * RESERVED && held + 2 * RESERVED >= most,
        "{held} of {most} tokens are held"
    );
    for _ in 0..2 {
        for id in 1..=last {
            let again = store.reserve(&reservation(id, None), at(100)).await.unwrap();
            assert_eq!(again, Reserve::Granted, "{id}");
            store
                .settle(Uuid::from_u128(id), tokens(USED), at(101))
                .await
                .unwrap();
        }
        assert_eq!(store.held(&account()).await.unwrap(), tokens(USED * count));
    }
    let limit = Some(USED * count + RESERVED - 1);
    let over = store
        .reserve(&reservation(last + 1, limit), at(102))
        .await
        .unwrap();
    assert!(matches!(over, Reserve::Exhausted { .. }), "{over:?}");
}
