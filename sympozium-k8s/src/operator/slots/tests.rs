use super::*;
use proptest::prelude::*;
use sympozium_core::ids::{InstanceName, Namespace};
use uuid::Uuid;

fn instance(name: &str) -> InstanceRef {
    InstanceRef {
        namespace: Namespace::new("team").unwrap(),
        name: InstanceName::new(name).unwrap(),
    }
}

fn uid(number: u128) -> RunUid {
    RunUid(Uuid::from_u128(number))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn claim(number: u128, created: i64) -> Claim {
    Claim {
        run: uid(number),
        instance: instance("sre"),
        created: at(created),
    }
}

#[test]
fn the_oldest_come_first_and_a_free_slot_goes_to_the_next() {
    let mut slots = Slots::default();
    assert_eq!(slots.ask(&claim(1, 10), 1), Answer::Held);
    assert_eq!(slots.ask(&claim(3, 30), 1), Answer::Waits(1));
    assert_eq!(slots.ask(&claim(2, 20), 1), Answer::Waits(1));
    assert_eq!(slots.ask(&claim(3, 30), 1), Answer::Waits(2));
    assert_eq!((slots.held(), slots.queued()), (1, 2));
    assert_eq!(slots.release(uid(1)), [uid(2)]);
    // The younger one asks first, and still waits.
    assert_eq!(slots.ask(&claim(3, 30), 1), Answer::Waits(2));
    assert_eq!(slots.ask(&claim(2, 20), 1), Answer::Held);
}

#[test]
fn a_rebuilt_table_counts_jobs_that_exist_before_anybody_waits() {
    let mut slots = Slots::default();
    // The older run was not admitted before the restart; the younger one has a Job.
    slots.hold(&claim(2, 20));
    slots.enqueue(&claim(1, 10));
    assert_eq!(slots.ask(&claim(1, 10), 1), Answer::Waits(1));
    assert!(slots.holds(uid(2)));
}

#[test]
fn a_lower_limit_takes_nothing_away_and_a_higher_one_lets_more_in() {
    let mut slots = Slots::default();
    assert_eq!(slots.ask(&claim(1, 1), 2), Answer::Held);
    assert_eq!(slots.ask(&claim(2, 2), 2), Answer::Held);
    assert_eq!(slots.ask(&claim(1, 1), 1), Answer::Held);
    assert_eq!(slots.ask(&claim(3, 3), 1), Answer::Waits(1));
    assert_eq!(slots.release(uid(1)), []);
    assert_eq!(slots.waiting(&instance("sre")), [uid(3)]);
    assert_eq!(slots.ask(&claim(3, 3), 2), Answer::Held);
}

#[test]
fn a_place_is_written_on_entry_and_then_at_most_once_a_minute() {
    let mut slots = Slots::default();
    slots.hold(&claim(1, 1));
    slots.ask(&claim(2, 2), 1);
    assert!(slots.may_write_position(uid(2), 1, at(0)));
    assert!(!slots.may_write_position(uid(2), 2, at(59)));
    assert!(slots.may_write_position(uid(2), 2, at(60)));
    assert!(!slots.may_write_position(uid(2), 2, at(600)));
}

#[test]
fn instances_do_not_wait_for_each_other() {
    let mut slots = Slots::default();
    let other = Claim {
        instance: instance("dev"),
        ..claim(2, 2)
    };
    assert_eq!(slots.ask(&claim(1, 1), 1), Answer::Held);
    assert_eq!(slots.ask(&other, 1), Answer::Held);
}

#[derive(Debug, Clone)]
enum Step {
    Ask(u128),
    Release(u128),
    Rebuild,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..12_u128).prop_map(Step::Ask),
        2 => (1..12_u128).prop_map(Step::Release),
        1 => Just(Step::Rebuild),
    ]
}

proptest! {
    #[test]
    fn never_more_than_the_limit_are_admitted_and_nobody_is_overtaken(limit in 1u32..4, steps in prop::collection::vec(any_step(), 1..60)) {
        let mut slots = Slots::default();
        let mut known = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Ask(n) => {
                    known.insert(n);
                    if slots.ask(&claim(n, i64::try_from(n).unwrap()), limit) == Answer::Held {
                        continue;
                    }
                    // Whoever waits does so because the slots are taken, or older ones wait for them.
                    let older = slots.waiting(&instance("sre")).iter().filter(|run| **run < uid(n)).count();
                    prop_assert!(slots.held() + older >= limit as usize);
                }
                Step::Release(n) => {
                    known.remove(&n);
                    slots.release(uid(n));
                }
                Step::Rebuild => {
                    let mut fresh = Slots::default();
                    for n in &known {
                        let claim = claim(*n, i64::try_from(*n).unwrap());
                        if slots.holds(uid(*n)) { fresh.hold(&claim) } else { fresh.enqueue(&claim) }
                    }
                    prop_assert_eq!((fresh.held(), fresh.queued()), (slots.held(), slots.queued()));
                    slots = fresh;
                }
            }
            prop_assert!(slots.held() <= limit as usize);
            prop_assert_eq!(slots.known().count(), known.len());
        }
    }
}
