//! How often the API server is asked on behalf of one source. Pure but for the time that it is told.

use jiff::Timestamp;
use std::collections::HashMap;
use std::hash::Hash;

/// How many sources are known at once. Those that have asked for nothing for a while are forgotten first.
const SOURCES: usize = 10_000;

/// So many at once, and so many more a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    pub(super) burst: f64,
    pub(super) per_second: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    /// What is left now.
    fn refilled(self, rate: Rate, now: Timestamp) -> f64 {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        passed.mul_add(rate.per_second, self.left).min(rate.burst)
    }
}

/// One bucket for each source, and one for all together.
#[derive(Debug)]
pub(super) struct Rates<S> {
    each: Rate,
    all: Rate,
    sources: HashMap<S, Bucket>,
    together: Option<Bucket>,
}

impl<S: Eq + Hash> Rates<S> {
    pub(super) fn new(each: Rate, all: Rate) -> Self {
        Self {
            each,
            all,
            sources: HashMap::new(),
            together: None,
        }
    }

    /// Takes one for this source, if there is one left for it and for all.
    pub(super) fn take(&mut self, source: S, now: Timestamp) -> bool {
        let (each, all) = (self.each, self.all);
        if self.sources.len() >= SOURCES {
            self.sources
                .retain(|_, bucket| bucket.refilled(each, now) < each.burst);
        }
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            return false;
        }
        let full = |rate: Rate| Bucket {
            left: rate.burst,
            at: now,
        };
        let own = self.sources.entry(source).or_insert_with(|| full(each));
        let own_left = own.refilled(each, now);
        let all_left = self.together.unwrap_or_else(|| full(all)).refilled(all, now);
        if own_left < 1.0 || all_left < 1.0 {
            return false;
        }
        *own = Bucket {
            left: own_left - 1.0,
            at: now,
        };
        self.together = Some(Bucket {
            left: all_left - 1.0,
            at: now,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rates() -> Rates<u8> {
        let each = Rate {
            burst: 3.0,
            per_second: 1.0,
        };
        let all = Rate {
            burst: 5.0,
            per_second: 2.0,
        };
        Rates::new(each, all)
    }

    #[test]
    fn who_asks_too_much_waits_and_others_do_not() {
        let mut rates = rates();
        let taken = (0..10).filter(|_| rates.take(1, at(0))).count();
        assert_eq!(taken, 3);
        assert!(rates.take(2, at(0)));
        assert!(rates.take(1, at(1)));
        assert!(!rates.take(1, at(1)));
    }

    #[test]
    fn all_together_have_a_bound_too() {
        let mut rates = rates();
        let taken = (0..100).filter(|source| rates.take(*source, at(0))).count();
        assert_eq!(taken, 5);
        let taken = (100..200).filter(|source| rates.take(*source, at(1))).count();
        assert_eq!(taken, 2);
    }
}
