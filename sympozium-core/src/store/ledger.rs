//! Tokens and money: reserved before a model call, settled after it: [`Ledger`].

use super::StoreError;
use crate::ids::{InstanceRef, Namespace, RunUid};
use async_trait::async_trait;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Tokens, and money in millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// Input and output tokens together.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub micro_usd: u64,
}

/// Over what a budget is metered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// One run, and what it spawns.
    Run(RunUid),
    /// All runs of an instance.
    Instance(InstanceRef),
    /// All runs of a namespace.
    Namespace(Namespace),
    /// All runs of an installation (locally: of this user's store).
    Installation,
}

/// The time over which a budget is metered, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Window {
    /// All time (for [`Scope::Run`]: the run's life).
    Total,
    /// One day.
    Day(Date),
    /// One month: its first day.
    Month(Date),
}

impl Window {
    /// The day in which `now` lies.
    pub fn day(now: Timestamp) -> Self {
        Self::Day(now.to_zoned(TimeZone::UTC).date())
    }

    /// The month in which `now` lies.
    pub fn month(now: Timestamp) -> Self {
        Self::Month(now.to_zoned(TimeZone::UTC).date().first_of_month())
    }
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// Whose.
    pub scope: Scope,
    /// When.
    pub window: Window,
}

/// The account's key in a store: stable and unique, such as `namespace/team-a day/2026-11-24`.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Run(uid) => write!(f, "run/{uid}")?,
            Scope::Instance(instance) => write!(f, "instance/{instance}")?,
            Scope::Namespace(namespace) => write!(f, "namespace/{namespace}")?,
            Scope::Installation => f.write_str("installation")?,
        }
        match self.window {
            Window::Total => f.write_str(" total"),
            Window::Day(day) => write!(f, " day/{day}"),
            Window::Month(first) => write!(f, " month/{}", first.strftime("%Y-%m")),
        }
    }
}

/// An account to charge, and how much it may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// The account.
    pub account: Account,
    /// The most tokens that it may hold; `None` = only metered.
    pub max_tokens: Option<u64>,
    /// The most money that it may hold, in millionths of a US dollar; `None` = only metered.
    pub max_micro_usd: Option<u64>,
    /// Which policy and field set the limit, for the refusal.
    pub rule: String,
}

/// An upper bound of what a call will use, charged to several accounts at once or to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its identity; a repetition is recognised by it.
    pub id: Uuid,
    /// The bound.
    pub amount: Amount,
    /// Where to charge it.
    pub charges: Vec<Charge>,
}

/// What [`Ledger::reserve`] answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserve {
    /// Charged to all accounts.
    Granted,
    /// Charged to none: this account would hold more than it may.
    Exhausted {
        /// The first charge that did not fit.
        charge: Charge,
        /// What it holds now.
        held: Amount,
    },
}

/// Meters and caps.
///
/// What an account holds is what was settled plus what is reserved. A reservation that is never settled (a killed
/// gateway, a stream without usage) stays charged in full: budgets can be under-used, never overshot.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Charges all accounts in one transaction, or none. Repeating a granted reservation charges nothing more, and
    /// with another amount or other accounts it is a [`StoreError::Conflict`]. An account that several charges name is
    /// charged once, within all of their limits. Amounts above `i64::MAX` are [`StoreError::Invalid`]; sums stop there.
    async fn reserve(&self, reservation: &Reservation, now: Timestamp) -> Result<Reserve, StoreError>;

    /// Replaces a reservation by what was really used. Repeating it changes nothing; `NotFound` for an unknown id.
    /// More than was reserved is charged as it is: the bound was wrong, and the record says so.
    async fn settle(&self, id: Uuid, used: Amount, now: Timestamp) -> Result<(), StoreError>;

    /// What an account holds.
    async fn held(&self, account: &Account) -> Result<Amount, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_keys_are_stable() {
        let now: Timestamp = "2026-11-24T23:59:59Z".parse().unwrap();
        let key = |scope, window| Account { scope, window }.to_string();
        assert_eq!(
            key(Scope::Installation, Window::month(now)),
            "installation month/2026-11"
        );
        assert_eq!(
            key(Scope::Namespace(Namespace::new("a").unwrap()), Window::day(now)),
            "namespace/a day/2026-11-24"
        );
    }
}
