//! When to try again: pure schedule, no clock.

use std::time::Duration;
use sympozium_core::error::Retry;

/// How often and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. Default 4.
    pub attempts: u32,
    /// The longest first pause; it doubles from attempt to attempt. Default 500 ms.
    pub base: Duration,
    /// The longest pause of ours. Default 20 s.
    pub cap: Duration,
    /// The longest pause that the other side may ask for; more than that is not waited for. Default 60 s.
    pub longest_asked: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            longest_asked: Duration::from_mins(1),
        }
    }
}

/// How long to wait after attempt `attempt` (from 1) failed; `None` = give up.
///
/// `jitter` is a random number in `0.0..=1.0`: pauses of ours are spread over their whole length, so that many
/// callers who failed together don't come back together. A pause that was asked for is kept, and spread above it.
pub fn next_delay(retry: Retry, attempt: u32, policy: &RetryPolicy, jitter: f64) -> Option<Duration> {
    if attempt >= policy.attempts {
        return None;
    }
    let jitter = jitter.clamp(0.0, 1.0);
    let ceiling = policy
        .base
        .saturating_mul(1 << attempt.saturating_sub(1).min(16))
        .min(policy.cap);
    match retry {
        Retry::Never => None,
        Retry::Now => Some(Duration::ZERO),
        Retry::After(asked) if asked > policy.longest_asked => None,
        Retry::After(asked) => Some(asked + policy.base.mul_f64(jitter)),
        Retry::Backoff => Some(ceiling.mul_f64(jitter)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_cap_and_end_after_the_last_attempt() {
        let policy = RetryPolicy {
            attempts: 9,
            ..RetryPolicy::default()
        };
        let pause = |attempt| next_delay(Retry::Backoff, attempt, &policy, 1.0);
        let ms = Duration::from_millis;
        assert_eq!(
            [pause(1), pause(2), pause(3)],
            [Some(ms(500)), Some(ms(1000)), Some(ms(2000))]
        );
        assert_eq!(pause(8), Some(policy.cap));
        assert_eq!(pause(9), None);
        assert_eq!(next_delay(Retry::Backoff, 1, &policy, 0.0), Some(Duration::ZERO));
        assert_eq!(next_delay(Retry::Never, 1, &policy, 1.0), None);
    }

    #[test]
    fn an_asked_pause_is_kept_unless_it_is_too_long() {
        let policy = RetryPolicy::default();
        let asked = Duration::from_secs(7);
        assert!(next_delay(Retry::After(asked), 1, &policy, 0.3).unwrap() >= asked);
        assert_eq!(
            next_delay(Retry::After(Duration::from_hours(1)), 1, &policy, 0.0),
            None
        );
    }
}
