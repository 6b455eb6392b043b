//! What a reservation does to accounts: the arithmetic of every [`Ledger`](super::Ledger). Pure.

use super::{Account, Amount, Charge, Reservation, StoreError};
use std::collections::BTreeMap;

/// What accounts hold, by key. Sorted, because databases lock accounts in this order.
pub(super) type Holdings = BTreeMap<String, Amount>;

/// The largest number that a store records, for every database alike.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// Refuses an amount that can't be recorded.
pub(super) fn check_amount(step: &'static str, amount: Amount) -> Result<(), StoreError> {
    if amount.tokens.max(amount.micro_usd) <= LARGEST {
        return Ok(());
    }
    Err(StoreError::Invalid {
        step,
        detail: format!("an amount is larger than {LARGEST}, the most that can be recorded"),
    })
}

/// The keys of the accounts of a reservation, each once, in the order in which they are locked.
pub(super) fn account_keys(reservation: &Reservation) -> Vec<String> {
    let mut keys: Vec<String> = reservation
        .charges
        .iter()
        .map(|charge| charge.account.to_string())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What becomes of a reservation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Charged {
    /// It fits; what its accounts hold now.
    Fits(Holdings),
    /// The first charge that does not fit, and what its account holds.
    Exhausted { charge: Charge, held: Amount },
}

/// Charges `reservation` to its accounts; `held` has all of them. An account that several charges name is charged once.
pub(super) fn charge(reservation: &Reservation, held: &Holdings) -> Charged {
    let mut after = Holdings::new();
    for charge in &reservation.charges {
        let key = charge.account.to_string();
        let now = held.get(&key).copied().unwrap_or_default();
        if !fits(charge, now, reservation.amount) {
            return Charged::Exhausted {
                charge: charge.clone(),
                held: now,
            };
        }
        after.insert(key, add(now, reservation.amount));
    }
    Charged::Fits(after)
}

fn fits(charge: &Charge, held: Amount, more: Amount) -> bool {
    let within =
        |held: u64, more: u64, most: Option<u64>| most.is_none_or(|most| held.saturating_add(more) <= most);
    within(held.tokens, more.tokens, charge.max_tokens)
        && within(held.micro_usd, more.micro_usd, charge.max_micro_usd)
}

/// What an account holds after `reserved` was replaced by `used`.
pub(super) fn settle(held: Amount, reserved: Amount, used: Amount) -> Amount {
    let rest = Amount {
        tokens: held.tokens.saturating_sub(reserved.tokens),
        micro_usd: held.micro_usd.saturating_sub(reserved.micro_usd),
    };
    add(rest, used)
}

/// The sum, at most the largest number that can be recorded.
fn add(a: Amount, b: Amount) -> Amount {
    Amount {
        tokens: a.tokens.saturating_add(b.tokens).min(LARGEST),
        micro_usd: a.micro_usd.saturating_add(b.micro_usd).min(LARGEST),
    }
}

/// Why a reservation is refused whose id stands for another one.
pub(super) fn other_reservation(reservation: &Reservation) -> StoreError {
    StoreError::Conflict {
        step: "reserve",
        detail: format!(
            "reservation {} was made with another amount or other accounts",
            reservation.id
        ),
    }
}

/// Why an unknown reservation can't be settled.
pub(super) fn no_reservation(id: uuid::Uuid) -> StoreError {
    StoreError::NotFound {
        what: format!("reservation {id}"),
    }
}

/// The key under which an account is stored.
pub(super) fn account_key(account: &Account) -> String {
    account.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Scope, Window};
    use uuid::Uuid;

    fn amount(tokens: u64) -> Amount {
        Amount { tokens, micro_usd: 0 }
    }

    fn reservation(tokens: u64, limits: &[Option<u64>]) -> Reservation {
        Reservation {
            id: Uuid::from_u128(1),
            amount: amount(tokens),
            charges: limits
                .iter()
                .map(|max_tokens| Charge {
                    account: Account {
                        scope: Scope::Installation,
                        window: Window::Total,
                    },
                    max_tokens: *max_tokens,
                    max_micro_usd: None,
                    rule: format!("{max_tokens:?}"),
                })
                .collect(),
        }
    }

    fn holding(tokens: u64) -> Holdings {
        Holdings::from([("installation total".to_owned(), amount(tokens))])
    }

    #[test]
    fn an_account_under_two_limits_is_charged_once_and_the_narrower_one_holds() {
        let two = reservation(5, &[Some(20), Some(10)]);
        assert_eq!(charge(&two, &holding(5)), Charged::Fits(holding(10)));
        let narrower = two.charges[1].clone();
        assert_eq!(
            charge(&two, &holding(6)),
            Charged::Exhausted {
                charge: narrower,
                held: amount(6)
            }
        );
    }

    #[test]
    fn sums_stop_at_the_largest_number_and_never_wrap() {
        let metered = reservation(10, &[None]);
        assert_eq!(
            charge(&metered, &holding(LARGEST - 3)),
            Charged::Fits(holding(LARGEST))
        );
        assert!(matches!(
            charge(&reservation(u64::MAX, &[Some(7)]), &holding(5)),
            Charged::Exhausted { .. }
        ));
        assert_eq!(settle(amount(3), amount(5), amount(4)), amount(4));
        assert!(check_amount("s", amount(LARGEST)).is_ok());
        assert!(check_amount("s", amount(LARGEST + 1)).is_err());
    }
}
