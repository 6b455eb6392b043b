//! What of a provider's words may be shown. Pure.

use secrecy::{ExposeSecret, SecretString};

/// Characters of a provider's words that are kept.
const MAX_WORDS: usize = 500;

/// Cuts, flattens, and takes the key out.
#[derive(Debug, Clone, Default)]
pub(in crate::providers) struct Scrub(Option<SecretString>);

impl Scrub {
    pub(in crate::providers) fn new(key: Option<SecretString>) -> Self {
        Self(key.filter(|key| !key.expose_secret().is_empty()))
    }

    /// One line of at most 500 characters. The key becomes `[key]`; so does a word that is half masked already, as
    /// providers like to repeat keys.
    pub(in crate::providers) fn clean(&self, text: &str) -> String {
        let without = match &self.0 {
            Some(key) => text.replace(key.expose_secret(), "[key]"),
            None => text.to_owned(),
        };
        let mut words = String::new();
        for word in without.split(|c: char| c.is_whitespace() || c.is_control()) {
            if word.is_empty() {
                continue;
            }
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(if word.contains("***") { "[key]" } else { word });
            if words.len() > MAX_WORDS * 4 {
                break;
            }
        }
        match words.char_indices().nth(MAX_WORDS) {
            Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
            None => words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_taken_out_whole_or_masked() {
        let scrub = Scrub::new(Some("sk-canary".into()));
        assert_eq!(scrub.clean("bad key sk-canary."), "bad key [key].");
        assert_eq!(
            scrub.clean("bad\nkey:\tsk-c*****ary. See docs"),
            "bad key: [key] See docs"
        );
        assert!(!format!("{scrub:?}").contains("canary"));
    }

    #[test]
    fn words_are_one_bounded_line() {
        let scrub = Scrub::new(Some("".into()));
        assert_eq!(scrub.clean("a\r\n  b\u{0}c"), "a b c");
        assert_eq!(scrub.clean(&"ä".repeat(501)).chars().count(), 501);
        assert_eq!(scrub.clean(&"ä".repeat(500)), "ä".repeat(500));
        assert!(scrub.clean(&"ä ".repeat(100_000)).chars().count() <= 501);
    }
}
