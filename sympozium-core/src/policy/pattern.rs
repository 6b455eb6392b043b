//! Names with stars: `read_*`, `gpt-4*`, `registry.example/*`.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A name in which `*` stands for any number of characters. Without a star it is an exact name. Case matters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// A text that can't be a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid pattern: 1 to 256 printable characters without spaces, at most 8 stars")]
pub struct InvalidPattern(String);

impl Pattern {
    /// Checks and takes a pattern.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidPattern> {
        let text = text.into();
        let fine = (1..=256).contains(&text.len())
            && !text.chars().any(|c| c.is_control() || c.is_whitespace())
            && text.bytes().filter(|b| *b == b'*').count() <= 8;
        if fine {
            Ok(Self(text))
        } else {
            Err(InvalidPattern(text.chars().take(80).collect()))
        }
    }

    /// True when it holds no star.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` fits, wholly.
    ///
    /// ```
    /// # use sympozium_core::policy::Pattern;
    /// let pattern = Pattern::new("gpt-4*").unwrap();
    /// assert!(pattern.matches("gpt-4o") && !pattern.matches("xgpt-4o"));
    /// ```
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            let Some((_, after)) = rest.split_once(piece) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;
    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        Self::new(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;
    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        Self::new(text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_run_of_characters() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "x", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*b", "ab", true),
            ("a*b", "axxb", true),
            ("a*b", "axxbc", false),
            ("a*b*c", "abbc", true),
            ("aba*ba", "aba", false),
            ("a**b", "ab", true),
            ("*a*", "bab", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
