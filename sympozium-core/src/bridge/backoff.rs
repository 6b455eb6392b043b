//! How long is waited before something is tried again. Pure.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// The pause before try `tries + 1`: from 50 ms it doubles up to two seconds, of which `spread` takes up to a half away, so
/// that what failed together is not tried together.
pub(super) fn pause(tries: u32, spread: u8) -> Duration {
    let longest = FIRST.saturating_mul(1 << tries.min(16)).min(LONGEST);
    longest - longest.mul_f64(f64::from(spread) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_differ() {
        for (tries, spread, millis) in [
            (0, 0, 50),
            (1, 0, 100),
            (2, 128, 150),
            (5, 0, 1600),
            (6, 0, 2000),
            (u32::MAX, 0, 2000),
            (u32::MAX, 255, 1003),
        ] {
            assert_eq!(pause(tries, spread).as_millis(), millis, "{tries} {spread}");
        }
    }
}
