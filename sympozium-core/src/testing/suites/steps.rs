//! The suite of [`StepLog`].

use super::{at, fails, fresh_run, ok, same};
use crate::ids::{RunUid, StepId};
use crate::store::{Begin, StepClaim, StepKey, StepLog, StepRecord};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

/// Checks a [`StepLog`].
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn step_log(log: &dyn StepLog) {
    a_finished_step_answers(log).await;
    one_of_many_callers_does_a_step(log).await;
    a_step_in_flight_says_who_has_it(log).await;
    another_request_under_a_step_is_told_so(log).await;
    a_step_is_taken_over_once_its_lease_has_ended(log).await;
    whoever_lost_a_step_can_not_answer_it(log).await;
    an_abandoned_step_is_begun_again(log).await;
    the_same_answer_may_be_given_twice(log).await;
    answers_come_back_as_they_were(log).await;
    steps_are_listed_as_they_were_begun(log).await;
}

fn key(run: RunUid, step: &str) -> StepKey {
    StepKey {
        run,
        step: ok(StepId::new(step), "the suite's step id is valid"),
    }
}

/// A claim from second 0 to second 60.
fn claim(key: &StepKey) -> StepClaim {
    StepClaim {
        key: key.clone(),
        request: [7; 32],
        owner: Uuid::new_v4(),
        now: at(0),
        lease_until: at(60),
    }
}

async fn begin(log: &dyn StepLog, claim: &StepClaim) -> Begin {
    ok(log.begin(claim).await, "a step can be begun")
}

async fn begin_new(log: &dyn StepLog, claim: &StepClaim) {
    same(
        &begin(log, claim).await,
        &Begin::New,
        "the caller is to do the step",
    );
}

async fn finish(log: &dyn StepLog, claim: &StepClaim, answer: &Value) {
    ok(
        log.finish(&claim.key, claim.owner, answer, at(1)).await,
        "a step can be finished by its owner",
    );
}

async fn a_finished_step_answers(log: &dyn StepLog) {
    let claim = claim(&key(fresh_run(), "turn/1"));
    begin_new(log, &claim).await;
    finish(log, &claim, &json!({"said": "hello"})).await;
    for owner in [claim.owner, Uuid::new_v4()] {
        let again = StepClaim {
            owner,
            now: at(10_000),
            lease_until: at(20_000),
            ..claim.clone()
        };
        same(
            &begin(log, &again).await,
            &Begin::Done(json!({"said": "hello"})),
            "a finished step answers everybody, however late",
        );
    }
    begin_new(
        log,
        &StepClaim {
            key: key(fresh_run(), "turn/1"),
            ..claim
        },
    )
    .await;
}

async fn one_of_many_callers_does_a_step(log: &dyn StepLog) {
    let key = key(fresh_run(), "race");
    for (round, now) in [(1, at(0)), (2, at(100))] {
        let claims: Vec<StepClaim> = (0..20)
            .map(|_| StepClaim {
                now,
                lease_until: now.max(at(60)).max(at(if round == 2 { 160 } else { 0 })),
                ..claim(&key)
            })
            .collect();
        let begun = join_all(claims.iter().map(|claim| begin(log, claim))).await;
        let new = begun.iter().filter(|begin| **begin == Begin::New).count();
        same(
            &new,
            &1,
            "of callers at the same time exactly one is to do a step, also when it is taken over",
        );
    }
}

async fn a_step_in_flight_says_who_has_it(log: &dyn StepLog) {
    let first = claim(&key(fresh_run(), "busy"));
    begin_new(log, &first).await;
    let other = StepClaim {
        owner: Uuid::new_v4(),
        now: at(59),
        lease_until: at(500),
        ..first.clone()
    };
    let wanted = Begin::InFlight {
        owner: first.owner,
        lease_until: at(60),
    };
    for claim in [&other, &first] {
        same(
            &begin(log, claim).await,
            &wanted,
            "a step in flight names its owner and its lease, and is not extended by asking",
        );
    }
}

async fn another_request_under_a_step_is_told_so(log: &dyn StepLog) {
    let first = claim(&key(fresh_run(), "mismatch"));
    let other = StepClaim {
        request: [8; 32],
        now: at(1000),
        lease_until: at(2000),
        ..first.clone()
    };
    begin_new(log, &first).await;
    same(
        &begin(log, &other).await,
        &Begin::Mismatch,
        "another request can't take a step over",
    );
    finish(log, &first, &json!(1)).await;
    same(
        &begin(log, &other).await,
        &Begin::Mismatch,
        "another request does not get a finished step's answer",
    );
}

async fn a_step_is_taken_over_once_its_lease_has_ended(log: &dyn StepLog) {
    let first = claim(&key(fresh_run(), "lease"));
    let second = StepClaim {
        owner: Uuid::new_v4(),
        now: at(60),
        lease_until: at(120),
        ..first.clone()
    };
    begin_new(log, &first).await;
    begin_new(log, &second).await;
    same(
        &begin(log, &first).await,
        &Begin::InFlight {
            owner: second.owner,
            lease_until: at(120),
        },
        "a step that was taken over is the new owner's",
    );
    finish(log, &second, &json!("second")).await;
}

async fn whoever_lost_a_step_can_not_answer_it(log: &dyn StepLog) {
    let first = claim(&key(fresh_run(), "lost"));
    let second = StepClaim {
        owner: Uuid::new_v4(),
        now: at(61),
        lease_until: at(120),
        ..first.clone()
    };
    begin_new(log, &first).await;
    begin_new(log, &second).await;
    fails(
        log.finish(&first.key, first.owner, &json!("first"), at(62)).await,
        "conflict",
        "a step that was taken over is not answered by its old owner",
    );
    ok(
        log.abandon(&first.key, first.owner).await,
        "abandoning a step of another owner is no error",
    );
    finish(log, &second, &json!("second")).await;
    fails(
        log.finish(&first.key, first.owner, &json!("first"), at(63)).await,
        "conflict",
        "another answer does not replace the one that stands",
    );
    ok(
        log.finish(&first.key, first.owner, &json!("second"), at(64))
            .await,
        "the same answer is welcome from anybody",
    );
    fails(
        log.finish(&key(fresh_run(), "never"), first.owner, &json!(1), at(1))
            .await,
        "not-found",
        "a step that nobody began can't be finished",
    );
}

async fn an_abandoned_step_is_begun_again(log: &dyn StepLog) {
    let first = claim(&key(fresh_run(), "abandoned"));
    begin_new(log, &first).await;
    ok(
        log.abandon(&first.key, first.owner).await,
        "a step can be abandoned",
    );
    ok(
        log.abandon(&first.key, first.owner).await,
        "a step can be abandoned twice",
    );
    let other = StepClaim {
        request: [9; 32],
        owner: Uuid::new_v4(),
        ..first.clone()
    };
    begin_new(log, &other).await;
    finish(log, &other, &json!("kept")).await;
    ok(
        log.abandon(&other.key, other.owner).await,
        "abandoning a finished step is no error",
    );
    same(
        &begin(log, &other).await,
        &Begin::Done(json!("kept")),
        "a finished step can't be given up",
    );
}

async fn the_same_answer_may_be_given_twice(log: &dyn StepLog) {
    let claim = claim(&key(fresh_run(), "twice"));
    begin_new(log, &claim).await;
    finish(log, &claim, &json!({"a": 1, "b": [2]})).await;
    finish(log, &claim, &json!({"b": [2], "a": 1})).await;
    fails(
        log.finish(&claim.key, claim.owner, &json!({"a": 2}), at(2)).await,
        "conflict",
        "the owner can't change an answer either",
    );
}

async fn answers_come_back_as_they_were(log: &dyn StepLog) {
    for answer in [
        Value::Null,
        json!({"z": 1, "a": 1.0, "large": u64::MAX, "small": i64::MIN, "float": 0.1, "text": "\u{0}ü\u{1F389}"}),
        json!("x".repeat(500_000)),
    ] {
        let claim = claim(&key(fresh_run(), "answer"));
        begin_new(log, &claim).await;
        finish(log, &claim, &answer).await;
        let Begin::Done(found) = begin(log, &claim).await else {
            panic!("a finished step has its answer, even null");
        };
        // As text: two numbers may be equal and yet be written differently.
        let (found, given) = (found.to_string(), answer.to_string());
        assert!(
            found == given,
            "an answer comes back as it was given: {found:.200}"
        );
    }
}

async fn steps_are_listed_as_they_were_begun(log: &dyn StepLog) {
    let run = fresh_run();
    let record = |step, begun_at, answer| StepRecord {
        key: key(run, step),
        begun_at,
        answer,
    };
    for (step, second) in [("z", 5), ("a", 6), ("m", 6)] {
        let claim = StepClaim {
            now: at(second),
            ..claim(&key(run, step))
        };
        begin_new(log, &claim).await;
        if step == "a" {
            finish(log, &claim, &json!(2)).await;
        }
    }
    let wanted = vec![
        record("z", at(5), None),
        record("a", at(6), Some(json!(2))),
        record("m", at(6), None),
    ];
    same(
        &ok(log.steps(run).await, "the steps of a run can be read"),
        &wanted,
        "steps are listed in the order in which they were begun",
    );
    same(
        &ok(log.steps(fresh_run()).await, "an unknown run has no steps"),
        &vec![],
        "an unknown run has no steps",
    );
}
