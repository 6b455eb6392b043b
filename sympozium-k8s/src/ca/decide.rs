//! When certificates are made anew. Pure.
//!
//! A root is replaced in two steps, so that nobody ever meets a certificate that he does not trust: the next root is made
//! and published beside the current one; once everybody has had time to read it, certificates come from it; the old one
//! stays published until it expires.

use jiff::{SignedDuration, Timestamp};

/// From when until when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// From then.
    pub begins: Timestamp,
    /// Until then.
    pub ends: Timestamp,
}

impl Life {
    /// What is left of it.
    pub fn left(self, now: Timestamp) -> SignedDuration {
        self.ends.duration_since(now)
    }
}

const DAY: i64 = 24 * 60 * 60;

/// How long certificates live.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Life of a root. Default: two years.
    pub root: SignedDuration,
    /// The next root is made when so much of the current one's life is left. Default: half a year.
    pub ahead: SignedDuration,
    /// How long the next root is published before certificates come from it: longer than any pod lives that has read the
    /// roots once. Default: 7 days.
    pub overlap: SignedDuration,
    /// Life of a server's certificate. Default: 90 days.
    pub leaf: SignedDuration,
    /// A server's certificate is made anew when so much of its life is left. Default: 30 days.
    pub renew: SignedDuration,
    /// How far clocks may differ: certificates begin that much earlier. Default: one hour.
    pub skew: SignedDuration,
}

impl Default for Times {
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_secs(days * DAY);
        Self {
            root: days(730),
            ahead: days(180),
            overlap: days(7),
            leaf: days(90),
            renew: days(30),
            skew: SignedDuration::from_hours(1),
        }
    }
}

/// What comes next for the roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootStep {
    /// Nothing.
    Keep,
    /// There is none, or none that is valid: make one, and all certificates with it.
    Begin,
    /// Make the next one and publish it beside the current one.
    Prepare,
    /// The next one becomes the current one; the current one stays published.
    TakeUp,
}

/// What comes next for the roots, given the current and the next one.
pub fn root_step(current: Option<Life>, next: Option<Life>, now: Timestamp, times: &Times) -> RootStep {
    let usable = |life: &Life| life.left(now).is_positive();
    let (Some(current), next) = (current.filter(usable), next.filter(usable)) else {
        return match next.filter(usable) {
            Some(_) => RootStep::TakeUp,
            None => RootStep::Begin,
        };
    };
    match next {
        None if current.left(now) < times.ahead => RootStep::Prepare,
        None => RootStep::Keep,
        // A certificate begins earlier than it was made.
        Some(next) if now.duration_since(next.begins) >= times.overlap + times.skew => RootStep::TakeUp,
        // The current one's last certificates must not outlive it.
        Some(_) if current.left(now) < times.renew => RootStep::TakeUp,
        Some(_) => RootStep::Keep,
    }
}

/// What is known of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafFacts {
    /// Its life.
    pub life: Life,
    /// It names all names that the server has, and no others.
    pub names_fit: bool,
    /// It comes from the current root.
    pub of_current_root: bool,
}

/// Why a server's certificate is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// There is none that can be read.
    Missing,
    /// Little of its life is left.
    Expires,
    /// The server has other names now.
    Names,
    /// The root is another one now.
    Root,
}

/// Whether a server's certificate has to be made anew, and why.
pub fn leaf_due(leaf: Option<LeafFacts>, now: Timestamp, times: &Times) -> Option<Due> {
    let Some(leaf) = leaf else {
        return Some(Due::Missing);
    };
    if leaf.life.left(now) < times.renew {
        return Some(Due::Expires);
    }
    if !leaf.names_fit {
        return Some(Due::Names);
    }
    (!leaf.of_current_root).then_some(Due::Root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * DAY).unwrap()
    }

    /// A root that was made on that day.
    fn root(made: i64) -> Life {
        let times = Times::default();
        Life {
            begins: day(made) - times.skew,
            ends: day(made) + times.root,
        }
    }

    #[test]
    fn a_root_is_replaced_in_two_steps_with_an_overlap() {
        let times = Times::default();
        for (current, next, now, expected) in [
            (None, None, 0, RootStep::Begin),
            (Some(root(0)), None, 0, RootStep::Keep),
            (Some(root(0)), None, 549, RootStep::Keep),
            (Some(root(0)), None, 551, RootStep::Prepare),
            (Some(root(0)), Some(root(551)), 551, RootStep::Keep),
            (Some(root(0)), Some(root(551)), 557, RootStep::Keep),
            (Some(root(0)), Some(root(551)), 558, RootStep::TakeUp),
            (Some(root(551)), None, 558, RootStep::Keep),
            // Nobody looked for a long time.
            (Some(root(0)), Some(root(551)), 800, RootStep::TakeUp),
            (Some(root(0)), None, 800, RootStep::Begin),
            (Some(root(0)), Some(root(10)), 2_000, RootStep::Begin),
            (Some(root(0)), Some(root(699)), 701, RootStep::TakeUp),
        ] {
            assert_eq!(root_step(current, next, day(now), &times), expected, "day {now}");
        }
    }

    #[test]
    fn a_servers_certificate_is_renewed_for_one_of_four_reasons() {
        let times = Times::default();
        let leaf = |made: i64, names_fit, of_current_root| {
            Some(LeafFacts {
                life: Life {
                    begins: day(made),
                    ends: day(made) + times.leaf,
                },
                names_fit,
                of_current_root,
            })
        };
        for (leaf, now, expected) in [
            (None, 0, Some(Due::Missing)),
            (leaf(0, true, true), 59, None),
            (leaf(0, true, true), 61, Some(Due::Expires)),
            (leaf(0, true, true), 500, Some(Due::Expires)),
            (leaf(0, false, true), 1, Some(Due::Names)),
            (leaf(0, true, false), 1, Some(Due::Root)),
        ] {
            assert_eq!(leaf_due(leaf, day(now), &times), expected, "day {now}");
        }
    }
}
