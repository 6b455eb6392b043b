//! The suite of [`Ledger`].

use super::{at, fails, fresh_instance, fresh_run, ok, same};
use crate::store::{Account, Amount, Charge, Ledger, Reservation, Reserve, Scope, Window};
use futures::future::join_all;
use uuid::Uuid;

/// Checks a [`Ledger`].
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn ledger(ledger: &dyn Ledger) {
    accounts_hold_what_is_reserved_and_then_what_was_used(ledger).await;
    a_charge_that_does_not_fit_charges_nothing(ledger).await;
    either_limit_holds(ledger).await;
    a_repeated_reservation_charges_once(ledger).await;
    an_id_stands_for_one_reservation(ledger).await;
    a_refused_reservation_may_be_tried_again(ledger).await;
    settling_twice_changes_nothing(ledger).await;
    what_was_really_used_counts_even_above_the_limit(ledger).await;
    an_account_named_twice_is_charged_once(ledger).await;
    accounts_are_kept_apart(ledger).await;
    a_budget_is_never_overshot_by_callers_at_the_same_time(ledger).await;
    repetitions_at_the_same_time_charge_once(ledger).await;
    accounts_in_any_order_do_not_block_each_other(ledger).await;
    huge_amounts_are_refused_or_stop_at_the_largest(ledger).await;
}

/// An account that nobody else uses.
fn account() -> Account {
    Account {
        scope: Scope::Run(fresh_run()),
        window: Window::Total,
    }
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, micro_usd: 0 }
}

fn charge(account: &Account, max_tokens: Option<u64>) -> Charge {
    Charge {
        account: account.clone(),
        max_tokens,
        max_micro_usd: None,
        rule: "suite".to_owned(),
    }
}

fn reservation(amount: Amount, charges: &[Charge]) -> Reservation {
    Reservation {
        id: Uuid::new_v4(),
        amount,
        charges: charges.to_vec(),
    }
}

async fn reserve(ledger: &dyn Ledger, reservation: &Reservation) -> Reserve {
    ok(
        ledger.reserve(reservation, at(0)).await,
        "a reservation is answered",
    )
}

async fn granted(ledger: &dyn Ledger, reservation: &Reservation) {
    same(
        &reserve(ledger, reservation).await,
        &Reserve::Granted,
        "a reservation that fits is granted",
    );
}

async fn settle(ledger: &dyn Ledger, id: Uuid, used: Amount) {
    ok(
        ledger.settle(id, used, at(1)).await,
        "a reservation can be settled",
    );
}

async fn holds(ledger: &dyn Ledger, account: &Account, wanted: Amount, expected: &str) {
    same(
        &ok(ledger.held(account).await, "an account can be read"),
        &wanted,
        expected,
    );
}

async fn accounts_hold_what_is_reserved_and_then_what_was_used(ledger: &dyn Ledger) {
    let (run, day) = (
        account(),
        Account {
            scope: Scope::Instance(fresh_instance()),
            window: Window::day(at(0)),
        },
    );
    holds(
        ledger,
        &run,
        Amount::default(),
        "an unknown account holds nothing",
    )
    .await;
    let both = Amount {
        tokens: 100,
        micro_usd: 7,
    };
    let reservation = reservation(both, &[charge(&run, Some(100)), charge(&day, None)]);
    granted(ledger, &reservation).await;
    for account in [&run, &day] {
        holds(ledger, account, both, "what is reserved is held in full").await;
    }
    let used = Amount {
        tokens: 30,
        micro_usd: 2,
    };
    settle(ledger, reservation.id, used).await;
    for account in [&run, &day] {
        holds(
            ledger,
            account,
            used,
            "after settling an account holds what was used",
        )
        .await;
    }
}

async fn a_charge_that_does_not_fit_charges_nothing(ledger: &dyn Ledger) {
    let (wide, narrow, narrower) = (account(), account(), account());
    granted(ledger, &reservation(tokens(6), &[charge(&narrow, None)])).await;
    let charges = [
        charge(&wide, Some(100)),
        charge(&narrow, Some(10)),
        charge(&narrower, Some(1)),
    ];
    let refused = Reserve::Exhausted {
        charge: charge(&narrow, Some(10)),
        held: tokens(6),
    };
    same(
        &reserve(ledger, &reservation(tokens(5), &charges)).await,
        &refused,
        "the first charge that does not fit is named, with what its account holds",
    );
    holds(
        ledger,
        &wide,
        tokens(0),
        "a refused reservation charges no account",
    )
    .await;
    holds(
        ledger,
        &narrow,
        tokens(6),
        "a refused reservation charges no account",
    )
    .await;
    granted(ledger, &reservation(tokens(4), &[charge(&narrow, Some(10))])).await;
    holds(
        ledger,
        &narrow,
        tokens(10),
        "an account can be filled to its limit",
    )
    .await;
}

async fn either_limit_holds(ledger: &dyn Ledger) {
    let account = account();
    let money = Charge {
        max_micro_usd: Some(10),
        ..charge(&account, Some(1_000))
    };
    let much = Amount {
        tokens: 1,
        micro_usd: 11,
    };
    same(
        &reserve(ledger, &reservation(much, std::slice::from_ref(&money))).await,
        &Reserve::Exhausted {
            charge: money,
            held: Amount::default(),
        },
        "the limit on money holds as the one on tokens does",
    );
}

async fn a_repeated_reservation_charges_once(ledger: &dyn Ledger) {
    let account = account();
    let one = reservation(tokens(60), &[charge(&account, Some(100))]);
    granted(ledger, &one).await;
    granted(ledger, &one).await;
    holds(ledger, &account, tokens(60), "a repetition charges nothing more").await;
    settle(ledger, one.id, tokens(10)).await;
    granted(ledger, &one).await;
    holds(
        ledger,
        &account,
        tokens(10),
        "a repetition after the settlement charges nothing more",
    )
    .await;
}

async fn an_id_stands_for_one_reservation(ledger: &dyn Ledger) {
    let account = account();
    let one = reservation(tokens(6), &[charge(&account, None)]);
    granted(ledger, &one).await;
    let other = Reservation {
        amount: tokens(7),
        ..one.clone()
    };
    fails(
        ledger.reserve(&other, at(0)).await,
        "conflict",
        "the id of a reservation can't be used for another amount",
    );
    let elsewhere = Reservation {
        charges: vec![],
        ..one
    };
    fails(
        ledger.reserve(&elsewhere, at(0)).await,
        "conflict",
        "the id of a reservation can't be used for other accounts",
    );
    holds(ledger, &account, tokens(6), "a conflict charges nothing").await;
}

async fn a_refused_reservation_may_be_tried_again(ledger: &dyn Ledger) {
    let account = account();
    let first = reservation(tokens(10), &[charge(&account, Some(10))]);
    let second = reservation(tokens(5), &[charge(&account, Some(10))]);
    granted(ledger, &first).await;
    assert!(
        reserve(ledger, &second).await != Reserve::Granted,
        "a full account grants nothing"
    );
    fails(
        ledger.settle(second.id, tokens(1), at(1)).await,
        "not-found",
        "a refused reservation can't be settled",
    );
    settle(ledger, first.id, tokens(1)).await;
    granted(ledger, &second).await;
    holds(ledger, &account, tokens(6), "what was settled makes room").await;
}

async fn settling_twice_changes_nothing(ledger: &dyn Ledger) {
    let account = account();
    let one = reservation(tokens(50), &[charge(&account, None)]);
    granted(ledger, &one).await;
    settle(ledger, one.id, tokens(20)).await;
    join_all((0..5).map(|i| settle(ledger, one.id, tokens(i)))).await;
    holds(ledger, &account, tokens(20), "the first settlement stands").await;
    fails(
        ledger.settle(Uuid::new_v4(), tokens(1), at(1)).await,
        "not-found",
        "an unknown reservation can't be settled",
    );
}

async fn what_was_really_used_counts_even_above_the_limit(ledger: &dyn Ledger) {
    let account = account();
    let one = reservation(tokens(10), &[charge(&account, Some(10))]);
    granted(ledger, &one).await;
    settle(ledger, one.id, tokens(15)).await;
    holds(
        ledger,
        &account,
        tokens(15),
        "more than was reserved is charged as it is",
    )
    .await;
    let none = reservation(tokens(1), &[charge(&account, Some(10))]);
    assert!(
        reserve(ledger, &none).await != Reserve::Granted,
        "an account above its limit grants nothing"
    );
}

async fn an_account_named_twice_is_charged_once(ledger: &dyn Ledger) {
    let account = account();
    let charges = [charge(&account, Some(100)), charge(&account, Some(10))];
    let one = reservation(tokens(10), &charges);
    granted(ledger, &one).await;
    holds(
        ledger,
        &account,
        tokens(10),
        "an account of two limits is charged once",
    )
    .await;
    settle(ledger, one.id, tokens(4)).await;
    holds(
        ledger,
        &account,
        tokens(4),
        "an account of two limits is settled once",
    )
    .await;
    same(
        &reserve(ledger, &reservation(tokens(7), &charges)).await,
        &Reserve::Exhausted {
            charge: charge(&account, Some(10)),
            held: tokens(4),
        },
        "the narrower of two limits holds",
    );
}

async fn accounts_are_kept_apart(ledger: &dyn Ledger) {
    let instance = fresh_instance();
    let of = |window| Account {
        scope: Scope::Instance(instance.clone()),
        window,
    };
    let (today, tomorrow) = (of(Window::day(at(0))), of(Window::day(at(86_400))));
    granted(ledger, &reservation(tokens(5), &[charge(&today, Some(5))])).await;
    granted(ledger, &reservation(tokens(5), &[charge(&tomorrow, Some(5))])).await;
    for other in [of(Window::Total), of(Window::month(at(0)))] {
        holds(ledger, &other, tokens(0), "windows of one scope are kept apart").await;
    }
}

async fn a_budget_is_never_overshot_by_callers_at_the_same_time(ledger: &dyn Ledger) {
    let (tight, wide) = (account(), account());
    // 200 callers want 7 each of an account of 500: 71 fit.
    let calls = (0..200).map(|i| {
        let (tight, wide) = (charge(&tight, Some(500)), charge(&wide, None));
        let charges = if i % 2 == 0 { [tight, wide] } else { [wide, tight] };
        let reservation = reservation(tokens(7), &charges);
        async move { reserve(ledger, &reservation).await == Reserve::Granted }
    });
    let granted = join_all(calls)
        .await
        .into_iter()
        .filter(|granted| *granted)
        .count();
    same(
        &granted,
        &71,
        "as many reservations are granted as fit, whoever comes first",
    );
    for account in [&tight, &wide] {
        holds(
            ledger,
            account,
            tokens(497),
            "accounts hold exactly what was granted",
        )
        .await;
    }
}

async fn repetitions_at_the_same_time_charge_once(ledger: &dyn Ledger) {
    let account = account();
    let one = reservation(tokens(60), &[charge(&account, Some(100))]);
    join_all((0..20).map(|_| granted(ledger, &one))).await;
    holds(
        ledger,
        &account,
        tokens(60),
        "one reservation that is made many times at once is charged once",
    )
    .await;
    join_all((0..20).map(|_| settle(ledger, one.id, tokens(9)))).await;
    holds(
        ledger,
        &account,
        tokens(9),
        "one settlement that is made many times at once counts once",
    )
    .await;
}

async fn accounts_in_any_order_do_not_block_each_other(ledger: &dyn Ledger) {
    let accounts: Vec<Account> = (0..5).map(|_| account()).collect();
    let calls = (0..60).map(|i| {
        let mut charges: Vec<Charge> = accounts.iter().map(|account| charge(account, None)).collect();
        charges.rotate_left(i % 5);
        if i % 2 == 0 {
            charges.reverse();
        }
        let one = reservation(tokens(3), &charges);
        async move {
            granted(ledger, &one).await;
            settle(ledger, one.id, tokens(1)).await;
        }
    });
    join_all(calls).await;
    for account in &accounts {
        holds(
            ledger,
            account,
            tokens(60),
            "all reservations and settlements count",
        )
        .await;
    }
}

async fn huge_amounts_are_refused_or_stop_at_the_largest(ledger: &dyn Ledger) {
    const LARGEST: u64 = i64::MAX as u64;
    let account = account();
    fails(
        ledger
            .reserve(
                &reservation(tokens(LARGEST + 1), &[charge(&account, None)]),
                at(0),
            )
            .await,
        "invalid",
        "an amount that can't be recorded is refused",
    );
    granted(ledger, &reservation(tokens(LARGEST), &[charge(&account, None)])).await;
    let more = reservation(tokens(LARGEST), &[charge(&account, None)]);
    granted(ledger, &more).await;
    holds(
        ledger,
        &account,
        tokens(LARGEST),
        "sums stop at the largest number",
    )
    .await;
    fails(
        ledger.settle(more.id, tokens(u64::MAX), at(1)).await,
        "invalid",
        "a settlement that can't be recorded is refused",
    );
    assert!(
        reserve(
            ledger,
            &reservation(tokens(1), &[charge(&account, Some(LARGEST))])
        )
        .await
            != Reserve::Granted,
        "a full account stays full"
    );
}
