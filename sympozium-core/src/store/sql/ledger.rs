//! [`Ledger`] in SQL.
//!
//! Accounts are locked in the order of their keys, always after the reservation, so that no two transactions ever wait
//! for each other.

use super::connection::{Row, Transaction, args};
use super::{SqlStore, json};
use crate::store::charge::{self, Charged, Holdings};
use crate::store::{Account, Amount, Ledger, Reservation, Reserve, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

#[async_trait]
impl Ledger for SqlStore {
    async fn reserve(&self, reservation: &Reservation, now: Timestamp) -> Result<Reserve, StoreError> {
        charge::check_amount("reserve", reservation.amount)?;
        let keys = charge::account_keys(reservation);
        let mut tx = self.database.begin("reserve").await?;
        if !insert(&mut tx, reservation, &keys, now).await? {
            let same = is_repetition(&mut tx, reservation, &keys).await?;
            tx.rollback().await?;
            return if same {
                Ok(Reserve::Granted)
            } else {
                Err(charge::other_reservation(reservation))
            };
        }
        let held = lock_limited(&mut tx, reservation, &keys).await?;
        match charge::charge(reservation, &held) {
            Charged::Fits(mut after) => {
                after.retain(|key, _| held.contains_key(key));
                write(&mut tx, &after).await?;
                tx.commit().await?;
                Ok(Reserve::Granted)
            }
            Charged::Exhausted { charge, held } => {
                tx.rollback().await?;
                Ok(Reserve::Exhausted { charge, held })
            }
        }
    }

    async fn settle(&self, id: Uuid, used: Amount, now: Timestamp) -> Result<(), StoreError> {
        charge::check_amount("settle", used)?;
        let mut tx = self.database.begin("settle").await?;
        // The condition is what makes a repetition change nothing; the row stays locked until the end.
        let row = tx
            .fetch_optional(
                "UPDATE ledger_reservations SET used_tokens = $2, used_micro_usd = $3, settled_at = $4 \
                 WHERE id = $1 AND settled_at IS NULL RETURNING accounts, tokens, micro_usd",
                args![
                    id,
                    stored(used.tokens),
                    stored(used.micro_usd),
                    now.as_microsecond()
                ],
            )
            .await?;
        let Some(row) = row else {
            let known = tx
                .fetch_optional("SELECT tokens FROM ledger_reservations WHERE id = $1", args![id])
                .await?
                .is_some();
            tx.rollback().await?;
            return if known {
                Ok(())
            } else {
                Err(charge::no_reservation(id))
            };
        };
        let keys: Vec<String> = json::from_text(&row.text(0)?, || format!("reservation {id}"))?;
        let reserved = amount(&row, 1)?;
        let after = lock(&mut tx, &keys)
            .await?
            .into_iter()
            .map(|(key, held)| (key, charge::settle(held, reserved, used)))
            .collect();
        write(&mut tx, &after).await?;
        tx.commit().await
    }

    async fn held(&self, account: &Account) -> Result<Amount, StoreError> {
        let rows = self
            .database
            .fetch(
                "read an account",
                "SELECT tokens, micro_usd FROM ledger_accounts WHERE account = $1",
                args![charge::account_key(account)],
            )
            .await?;
        rows.first()
            .map_or_else(|| Ok(Amount::default()), |row| amount(row, 0))
    }
}

/// Records the reservation; false when its id is taken. Waits while another transaction is about to take it.
async fn insert(
    tx: &mut Transaction,
    reservation: &Reservation,
    keys: &[String],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let inserted = tx
        .execute(
            "INSERT INTO ledger_reservations (id, accounts, tokens, micro_usd, reserved_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
            args![
                reservation.id,
                json::to_text("reserve", &keys)?,
                stored(reservation.amount.tokens),
                stored(reservation.amount.micro_usd),
                now.as_microsecond()
            ],
        )
        .await?;
    Ok(inserted == 1)
}

async fn is_repetition(
    tx: &mut Transaction,
    reservation: &Reservation,
    keys: &[String],
) -> Result<bool, StoreError> {
    let row = tx
        .fetch_optional(
            "SELECT accounts, tokens, micro_usd FROM ledger_reservations WHERE id = $1",
            args![reservation.id],
        )
        .await?
        .ok_or_else(|| charge::no_reservation(reservation.id))?;
    Ok(amount(&row, 1)? == reservation.amount && row.text(0)? == json::to_text("reserve", &keys)?)
}

/// Locks accounts until the transaction ends, and says what they hold. Makes those that are missing.
async fn lock(tx: &mut Transaction, keys: &[String]) -> Result<Holdings, StoreError> {
    let mut held = Holdings::new();
    for key in keys {
        let amount = lock_one(tx, key).await?;
        held.insert(key.clone(), amount);
    }
    Ok(held)
}

async fn lock_one(tx: &mut Transaction, key: &str) -> Result<Amount, StoreError> {
    let row = tx
        .fetch_optional(
            "INSERT INTO ledger_accounts (account, tokens, micro_usd) VALUES ($1, 0, 0) \
             ON CONFLICT (account) DO UPDATE SET tokens = ledger_accounts.tokens RETURNING tokens, micro_usd",
            args![key],
        )
        .await?;
    row.map_or_else(|| Ok(Amount::default()), |row| amount(&row, 0))
}

/// Locks the accounts that have a limit, and says what they hold. Those that are only metered are charged at once: what
/// they hold decides nothing.
async fn lock_limited(
    tx: &mut Transaction,
    reservation: &Reservation,
    keys: &[String],
) -> Result<Holdings, StoreError> {
    let limited: BTreeSet<String> = reservation
        .charges
        .iter()
        .filter(|charge| charge.max_tokens.is_some() || charge.max_micro_usd.is_some())
        .map(|charge| charge::account_key(&charge.account))
        .collect();
    let mut held = Holdings::new();
    for key in keys {
        if limited.contains(key) {
            let amount = lock_one(tx, key).await?;
            held.insert(key.clone(), amount);
        } else {
            add(tx, key, reservation.amount).await?;
        }
    }
    Ok(held)
}

/// Adds to an account, up to the largest number that can be recorded. Makes it if it is missing.
async fn add(tx: &mut Transaction, key: &str, more: Amount) -> Result<(), StoreError> {
    let (tokens, micro_usd) = (stored(more.tokens), stored(more.micro_usd));
    tx.execute(
        "INSERT INTO ledger_accounts (account, tokens, micro_usd) VALUES ($1, $2, $3) \
         ON CONFLICT (account) DO UPDATE SET \
         tokens = CASE WHEN ledger_accounts.tokens > $4 THEN $6 ELSE ledger_accounts.tokens + $2 END, \
         micro_usd = CASE WHEN ledger_accounts.micro_usd > $5 THEN $6 ELSE ledger_accounts.micro_usd + $3 END",
        args![key, tokens, micro_usd, i64::MAX - tokens, i64::MAX - micro_usd, i64::MAX],
    )
    .await
    .map(drop)
}

async fn write(tx: &mut Transaction, after: &Holdings) -> Result<(), StoreError> {
    for (key, amount) in after {
        tx.execute(
            "UPDATE ledger_accounts SET tokens = $2, micro_usd = $3 WHERE account = $1",
            args![key.as_str(), stored(amount.tokens), stored(amount.micro_usd)],
        )
        .await?;
    }
    Ok(())
}

/// A number that was checked to fit ([`charge::check_amount`]; sums stop there too).
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn amount(row: &Row, first: usize) -> Result<Amount, StoreError> {
    Ok(Amount {
        tokens: json::unsigned(row.int(first)?)?,
        micro_usd: json::unsigned(row.int(first + 1)?)?,
    })
}
