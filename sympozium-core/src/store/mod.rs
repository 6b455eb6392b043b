//! What outlives a run: conversations, steps, money, and the record of what was done.
//!
//! Four traits, each with a SQLite and a PostgreSQL implementation (features `sqlite`, `postgres`), one in memory for
//! tests, and one conformance suite (`testing`) that all of them pass. Time is always the caller's: stores take `now`.

mod audit;
mod charge;
mod in_memory;
mod ledger;
mod page;
mod search;
mod session;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
mod steps;

pub use audit::{AuditKind, AuditLog, AuditRecord};
pub use in_memory::InMemoryStore;
pub use ledger::{Account, Amount, Charge, Ledger, Reservation, Reserve, Scope, Window};
pub use page::MAX_PAGE;
pub use search::MAX_SEARCH_CHARS;
pub use session::{Page, Session, SessionFilter, SessionId, SessionStore, Turn};
pub use steps::{Begin, StepClaim, StepKey, StepLog, StepRecord};

use crate::error::{BoxError, Classify, Retry};

/// Why a store could not do it. Nothing was changed unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database could not be reached or did not answer. Callers that guard something refuse.
    #[error("{step}: the store is unavailable")]
    Unavailable {
        /// What was being done.
        step: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Someone else wrote first, or the same key holds something else.
    #[error("{step}: {detail}")]
    Conflict {
        /// What was being done.
        step: &'static str,
        /// What stands there.
        detail: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    NotFound {
        /// What was asked for, with its key.
        what: String,
    },
    /// What was asked can't be done by any store: a cursor of another list, a number too large to record, a database of
    /// another program.
    #[error("{step}: {detail}")]
    Invalid {
        /// What was being done.
        step: &'static str,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// What is stored can't be understood.
    #[error("{what} in the store is not readable")]
    Corrupt {
        /// What, with its key.
        what: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl Classify for StoreError {
    fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { .. } => Retry::Backoff,
            Self::Conflict { .. } | Self::NotFound { .. } | Self::Invalid { .. } | Self::Corrupt { .. } => {
                Retry::Never
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "store-unavailable",
            Self::Conflict { .. } => "conflict",
            Self::NotFound { .. } => "not-found",
            Self::Invalid { .. } => "invalid",
            Self::Corrupt { .. } => "corrupt",
        }
    }
}
