//! How messages are searched: the same on every store, whatever its database thinks of upper case. Pure.

use super::StoreError;
use crate::chat::Message;

/// The longest text that can be searched for, in characters.
pub const MAX_SEARCH_CHARS: usize = 1_000;

/// A message's text as it is searched: lower case letter by letter, without NUL (which PostgreSQL can't hold).
pub(super) fn folded(message: &Message) -> String {
    fold(&message.text())
}

/// What is searched for, in the same form. Refuses what is longer than [`MAX_SEARCH_CHARS`].
pub(super) fn needle(text: &str) -> Result<String, StoreError> {
    if text.chars().count() > MAX_SEARCH_CHARS {
        return Err(StoreError::Invalid {
            step: "list sessions",
            detail: format!("the text to search for is longer than {MAX_SEARCH_CHARS} characters"),
        });
    }
    Ok(fold(text))
}

fn fold(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '\0')
        .flat_map(char::to_lowercase)
        .collect()
}

/// A pattern for `LIKE … ESCAPE '!'` that matches what contains `needle`, in which nothing is special.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) fn like_pattern(needle: &str) -> String {
    let mut pattern = String::with_capacity(needle.len() + 2);
    pattern.push('%');
    for c in needle.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_compared_one_by_one() {
        assert_eq!(
            folded(&Message::user("ÄRGER\0 ΟΔΟΣ")),
            needle("ärger οδοσ").unwrap()
        );
        assert!(needle(&"x".repeat(MAX_SEARCH_CHARS + 1)).is_err());
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[test]
    fn nothing_in_a_pattern_is_special() {
        assert_eq!(like_pattern("5%_!a"), "%5!%!_!!a%");
    }
}
