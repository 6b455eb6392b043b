//! JSON in text columns, and times in number columns.

use crate::store::StoreError;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

/// The text under which a value is stored.
pub(super) fn to_text<T: Serialize>(step: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Invalid {
        step,
        detail: format!("the value can't be written as JSON: {error}"),
    })
}

/// The value that a stored text stands for. `what` names it for the error.
pub(super) fn from_text<T: DeserializeOwned>(
    text: &str,
    what: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
        what: what(),
        source: error.into(),
    })
}

/// The time that a stored number of microseconds stands for.
pub(super) fn time(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|error| StoreError::Corrupt {
        what: format!("time {microseconds}"),
        source: error.into(),
    })
}

/// A number that is never negative.
pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::Corrupt {
        what: format!("number {number}"),
        source: error.into(),
    })
}
