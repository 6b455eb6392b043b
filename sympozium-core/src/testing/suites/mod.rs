//! The conformance suites. Each is one public function; each behaviour is a function of its own.
#![expect(
    clippy::panic,
    reason = "a panic is how a test suite says that something is wrong"
)]

mod audit;
mod auth;
mod bus;
mod channel;
mod executor;
mod ledger;
mod memory;
mod provider;
mod sessions;
mod skills;
mod steps;

pub use audit::audit_log;
pub use auth::{KnownCaller, authenticate};
pub use bus::{BusFixture, event_bus};
pub use channel::{ChannelPeer, channel};
pub use executor::{ExecutorFixture, run_executor};
pub use ledger::ledger;
pub use memory::memory_store;
pub use provider::{PeerAnswer, ProviderPeer, llm_provider};
pub use sessions::session_store;
pub use skills::{KnownPacks, skill_source};
pub use steps::step_log;

use crate::error::chain;
use crate::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use jiff::Timestamp;
use std::fmt::Debug;
use uuid::Uuid;

/// The value of something that has to succeed. `expected` is a sentence.
#[track_caller]
fn ok<T, E: std::error::Error + 'static>(result: Result<T, E>, expected: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{expected}, but it failed: {}", chain(&error)),
    }
}

/// The value of something that has to be there.
#[track_caller]
fn some<T>(value: Option<T>, expected: &str) -> T {
    value.unwrap_or_else(|| panic!("{expected}, but there was nothing"))
}

/// Compares whole values.
#[track_caller]
fn same<T: PartialEq + Debug>(found: &T, wanted: &T, expected: &str) {
    assert!(
        found == wanted,
        "{expected}\n found: {found:?}\nwanted: {wanted:?}"
    );
}

/// Checks that something failed with an error of this kind.
#[track_caller]
fn fails<T: Debug, E: crate::error::Classify>(result: Result<T, E>, kind: &str, expected: &str) {
    match result {
        Ok(value) => panic!("{expected}, but it gave {value:?}"),
        Err(error) => same(&error.kind(), &kind, expected),
    }
}

/// An instance that nobody else uses.
fn fresh_instance() -> InstanceRef {
    let name = format!("i{}", &Uuid::new_v4().simple().to_string()[..30]);
    InstanceRef {
        namespace: ok(Namespace::new("suite"), "the suite's namespace is valid"),
        name: ok(InstanceName::new(name), "the suite's instance name is valid"),
    }
}

fn fresh_run() -> RunUid {
    RunUid::random()
}

/// `seconds` after a fixed moment, with microseconds that have to survive.
fn at(seconds: i64) -> Timestamp {
    ok(
        Timestamp::from_microsecond(1_764_000_000_123_456 + seconds * 1_000_000),
        "the suite's times are in range",
    )
}
