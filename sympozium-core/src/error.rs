//! Whether a failed step is worth repeating, asked of every error in the SDK.
//!
//! Callers never match on an error's text: they ask [`Classify::retry`] and [`Classify::kind`].

use std::time::Duration;

/// Whether trying the same thing again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again; something has to change first.
    Never,
    /// Try again at once: the cause is gone (a lost race, a stale read).
    Now,
    /// Try again after the given time, which the other side asked for.
    After(Duration),
    /// Try again later, with growing pauses.
    Backoff,
}

impl Retry {
    /// True when a repetition can succeed at all.
    pub const fn is_worthwhile(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// What an error says about itself beyond its text.
pub trait Classify {
    /// Whether repeating the failed step can help.
    fn retry(&self) -> Retry;

    /// A stable, short, lower-case name (`rate-limited`) for metrics, conditions and problem types.
    fn kind(&self) -> &'static str;
}

/// An error of another crate, kept as a source without naming its type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Writes an error and all its sources as one sentence: `open /x: permission denied`.
///
/// ```
/// # use sympozium_core::error::chain;
/// let io = std::io::Error::other("disk gone");
/// assert_eq!(chain(&io), "disk gone");
/// ```
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        // Some libraries repeat their source in their own message; say it once.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = source.source();
    }
    text
}
