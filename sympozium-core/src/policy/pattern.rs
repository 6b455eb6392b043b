//! Names with stars: `read_*`, `gpt-4*`, `registry.example/*`.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A name in which `*` stands for any number of characters. Without a star it is an exact name. Case matters.
///
/// What a name must have in order to fit is worked out once, when the pattern is made: a policy may hold a thousand
/// rules, and nearly all of them are told apart from a tool's name by a few numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    // First, so that patterns are ordered as their texts are; everything else follows from it.
    text: String,
    head: Ends,
    tail: Ends,
    letters: u64,
    exact: bool,
}

/// Up to eight bytes at one end of a text, and which of the eight are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Ends {
    bytes: u64,
    mask: u64,
}

impl Ends {
    fn new(bytes: impl Iterator<Item = u8>) -> Self {
        let mut ends = Self { bytes: 0, mask: 0 };
        for (place, byte) in (0..u64::BITS).step_by(8).zip(bytes) {
            ends.bytes |= u64::from(byte) << place;
            ends.mask |= 0xff << place;
        }
        ends
    }

    /// Whether a text with these ends could have the given ones.
    const fn fits(self, name: Self) -> bool {
        (self.bytes ^ name.bytes) & self.mask == 0
    }
}

/// Which letters occur, as a set of 64. Digits and letters have places of their own, the others share what is left.
fn letters(bytes: impl Iterator<Item = u8>) -> u64 {
    let place = |byte: u8| match byte.to_ascii_lowercase() {
        digit @ b'0'..=b'9' => digit - b'0',
        letter @ b'a'..=b'z' => letter - b'a' + 10,
        other => 36 + other % 28,
    };
    bytes.fold(0, |set, byte| set | 1 << place(byte))
}

/// A name that is held against many patterns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    text: &'a str,
    head: Ends,
    tail: Ends,
    letters: u64,
}

impl<'a> Name<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            head: Ends::new(text.bytes()),
            tail: Ends::new(text.bytes().rev()),
            letters: letters(text.bytes()),
        }
    }
}

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
            Ok(Self::of(text))
        } else {
            Err(InvalidPattern(text.chars().take(80).collect()))
        }
    }

    fn of(text: String) -> Self {
        let literal = |byte: &u8| *byte != b'*';
        Self {
            head: Ends::new(text.bytes().take_while(literal)),
            tail: Ends::new(text.bytes().rev().take_while(literal)),
            letters: letters(text.bytes().filter(literal)),
            exact: text.bytes().all(|byte| literal(&byte)),
            text,
        }
    }

    /// True when it holds no star.
    pub const fn is_exact(&self) -> bool {
        self.exact
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `name` fits, wholly.
    ///
    /// ```
    /// # use sympozium_core::policy::Pattern;
    /// let pattern = Pattern::new("gpt-4*").unwrap();
    /// assert!(pattern.matches("gpt-4o") && !pattern.matches("xgpt-4o"));
    /// ```
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.text.split('*');
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

    /// The same for a name that is held against many: false when [`Pattern::matches`] would be, mostly without looking
    /// at either text.
    pub(super) fn may_match(&self, name: &Name<'_>) -> bool {
        self.head.fits(name.head) && self.tail.fits(name.tail) && self.letters & !name.letters == 0
    }

    /// [`Pattern::matches`], quickly.
    pub(super) fn fits(&self, name: &Name<'_>) -> bool {
        self.may_match(name) && self.matches(name.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
        pattern.text
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
            let made = Pattern::new(pattern).unwrap();
            assert_eq!(made.matches(name), expected, "{pattern} {name}");
            assert_eq!(made.fits(&Name::new(name)), expected, "{pattern} {name}, quickly");
        }
    }

    #[test]
    fn the_quick_look_never_differs_from_the_whole_one() {
        // All texts of up to five letters, stars among them, against all names of up to four; one letter has two bytes.
        let texts = |letters: &[&str], longest: u32| -> Vec<String> {
            let mut all = vec![String::new()];
            let mut last = all.clone();
            for _ in 0..longest {
                last = last
                    .iter()
                    .flat_map(|text| letters.iter().map(move |letter| format!("{text}{letter}")))
                    .collect();
                all.extend(last.iter().cloned());
            }
            all
        };
        let names = texts(&["a", "b", "\u{e9}"], 4);
        for pattern in texts(&["a", "b", "\u{e9}", "*"], 5).into_iter().skip(1) {
            let pattern = Pattern::new(pattern).unwrap();
            for name in &names {
                assert_eq!(
                    pattern.fits(&Name::new(name)),
                    pattern.matches(name),
                    "{pattern} {name}"
                );
            }
        }
    }

    #[test]
    fn of_a_thousand_patterns_about_other_tools_none_is_held_against_the_name_letter_by_letter() {
        let name = Name::new("tool_500_run");
        let others = |make: fn(usize) -> String| {
            (1_000..2_000).filter(move |i| Pattern::new(make(*i)).unwrap().may_match(&name))
        };
        assert_eq!(others(|i| format!("tool_{i}_*")).count(), 0, "by their heads");
        assert_eq!(others(|i| format!("*_{i}_run")).count(), 0, "by their tails");
        assert_eq!(others(|i| format!("*z{i}*")).count(), 0, "by their letters");
    }
}
