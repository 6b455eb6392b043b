//! Faults on purpose, from a seed.

use std::sync::Mutex;
use std::time::Duration;

/// What befalls a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused, and nothing happens.
    Refused(u16),
    /// It is done, and the answer is lost: a server error.
    Lost(u16),
    /// It is done, or not, and nobody answers.
    Silence { done: bool },
}

/// How often what goes wrong: chances in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) refused: u32,
    pub(crate) lost: u32,
    pub(crate) silence: u32,
    /// Per event of a watch.
    pub(crate) watch_drop: u32,
    /// The longest that an event of a watch is held back.
    pub(crate) stale: Duration,
}

/// Faults on purpose.
pub(crate) struct Faults {
    random: Mutex<fastrand::Rng>,
    rates: Mutex<Rates>,
}

impl Faults {
    pub(crate) fn none() -> Self {
        Self::new(0, Rates::default())
    }

    pub(crate) fn new(seed: u64, rates: Rates) -> Self {
        Self {
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            rates: Mutex::new(rates),
        }
    }

    /// How often things go wrong by this seed: now little, now much.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let rates = Rates {
            refused: random.u32(0..120),
            lost: random.u32(0..60),
            silence: random.u32(0..15),
            watch_drop: random.u32(0..80),
            stale: Duration::from_millis(random.u64(0..2000)),
        };
        Self::new(seed, rates)
    }

    /// From now on all goes well.
    pub(crate) fn end(&self) {
        *self.rates.lock().unwrap() = Rates::default();
    }

    pub(crate) fn of_request(&self) -> Option<Fault> {
        let rates = *self.rates.lock().unwrap();
        let mut random = self.random.lock().unwrap();
        let code = *random.choice(&[409, 429, 500, 503]).unwrap_or(&500);
        if random.u32(0..1000) < rates.refused {
            return Some(Fault::Refused(code));
        }
        if random.u32(0..1000) < rates.lost {
            return Some(Fault::Lost(500));
        }
        (random.u32(0..1000) < rates.silence).then(|| Fault::Silence { done: random.bool() })
    }

    /// How long a request takes.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().u64(1..4))
    }

    pub(crate) fn drops_watch(&self) -> bool {
        self.random.lock().unwrap().u32(0..1000) < self.rates.lock().unwrap().watch_drop
    }

    pub(crate) fn holds_back(&self) -> Duration {
        let most = u64::try_from(self.rates.lock().unwrap().stale.as_millis()).unwrap();
        Duration::from_millis(self.random.lock().unwrap().u64(0..=most))
    }
}
