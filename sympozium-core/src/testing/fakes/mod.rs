//! Stand-ins for what a test does not want to be real.

mod auth;
mod channel;
mod executor;
mod failing_store;
mod plan;
mod provider;
mod skills;

pub use auth::StaticAuth;
pub use channel::RecordingChannel;
pub use executor::{AgentDoes, FakeExecutor};
pub use failing_store::FailingStore;
pub use plan::run_plan;
pub use provider::{FakeAnswer, FakeProvider};
pub use skills::StaticSkills;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The content of a fake's mutex, also after a test that held it has panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
