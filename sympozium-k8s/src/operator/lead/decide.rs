//! What to do about the lease. Pure.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use std::time::Duration;
use tokio::time::Instant;

/// The lease as it was seen, and since when it has been so by our own clock: the clocks of others are not trusted.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The lease.
    pub lease: Lease,
    /// Since when it has been seen like this.
    pub since: Instant,
}

impl Seen {
    /// What is seen now, after `before`.
    pub fn next(before: Option<Self>, lease: Lease, now: Instant) -> Self {
        match before {
            Some(before) if before.lease.metadata.resource_version == lease.metadata.resource_version => {
                before
            }
            Some(_) | None => Self { lease, since: now },
        }
    }

    fn spec(&self) -> LeaseSpec {
        self.lease.spec.clone().unwrap_or_default()
    }

    /// Who holds it; nobody if it was given back.
    pub fn holder(&self) -> Option<String> {
        self.spec().holder_identity.filter(|holder| !holder.is_empty())
    }
}

/// What to do about the lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// Make it, with us as its holder.
    Create(LeaseSpec),
    /// Write it, on the version that was seen: renew it, or take it over.
    Write(LeaseSpec),
    /// Wait until it may have run out.
    Wait(Duration),
}

/// What `me` does about the lease to hold it, at `now`.
pub fn decide(seen: Option<&Seen>, me: &str, lasts: Duration, now: Timestamp, clock: Instant) -> Move {
    let seconds = i32::try_from(lasts.as_secs()).unwrap_or(i32::MAX);
    let fresh = LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: Some(seconds),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(0),
        ..LeaseSpec::default()
    };
    let Some(seen) = seen else {
        return Move::Create(fresh);
    };
    let spec = seen.spec();
    match seen.holder() {
        Some(holder) if holder == me => Move::Write(LeaseSpec {
            acquire_time: spec.acquire_time,
            lease_transitions: spec.lease_transitions,
            ..fresh
        }),
        Some(_) if left(seen, &spec, lasts, clock) > Duration::ZERO => {
            Move::Wait(left(seen, &spec, lasts, clock))
        }
        Some(_) | None => Move::Write(LeaseSpec {
            lease_transitions: Some(spec.lease_transitions.unwrap_or(0).saturating_add(1)),
            ..fresh
        }),
    }
}

/// How long its holder may still hold it.
fn left(seen: &Seen, spec: &LeaseSpec, lasts: Duration, clock: Instant) -> Duration {
    let said = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let lasts = said.map_or(lasts, Duration::from_secs);
    (seen.since + lasts).saturating_duration_since(clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(15);

    fn seen(holder: &str, since: Instant) -> Seen {
        let mut lease = Lease::default();
        lease.metadata.resource_version = Some("1".into());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(4),
            ..LeaseSpec::default()
        });
        Seen { lease, since }
    }

    fn move_of(seen: Option<&Seen>, clock: Instant) -> (&'static str, Option<i32>) {
        match decide(seen, "me", LASTS, Timestamp::UNIX_EPOCH, clock) {
            Move::Create(spec) => ("create", spec.lease_transitions),
            Move::Write(spec) => ("write", spec.lease_transitions),
            Move::Wait(_) => ("wait", None),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_taken_when_it_is_free_or_has_run_out_by_our_own_clock() {
        let now = Instant::now();
        let soon = now + Duration::from_secs(14);
        let late = now + LASTS;
        assert_eq!(move_of(None, now), ("create", Some(0)));
        assert_eq!(move_of(Some(&seen("me", now)), late), ("write", Some(4)));
        assert_eq!(move_of(Some(&seen("other", now)), soon), ("wait", None));
        assert_eq!(move_of(Some(&seen("other", now)), late), ("write", Some(5)));
        assert_eq!(move_of(Some(&seen("", now)), now), ("write", Some(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_did_not_change_was_seen_when_it_was_first_seen() {
        let now = Instant::now();
        let first = seen("other", now);
        let same = Seen::next(Some(first.clone()), first.lease.clone(), now + LASTS);
        assert_eq!(same.since, now);
        let mut renewed = first.lease.clone();
        renewed.metadata.resource_version = Some("2".into());
        assert_eq!(Seen::next(Some(first), renewed, now + LASTS).since, now + LASTS);
    }
}
