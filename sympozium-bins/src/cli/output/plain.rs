//! Text from models, tools and files, made safe to show. Pure.

/// The text without control characters that could move a terminal's cursor or change its state; line breaks and tabs
/// stay.
pub(in crate::cli) fn plain(text: &str) -> String {
    text.chars().filter(|c| is_shown(*c)).collect()
}

/// The text with everything that a person could not see, or not see rightly, written as an escape: for what somebody
/// has to agree to.
pub(in crate::cli) fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\n' || !(c.is_control() || is_direction(c) || is_invisible(c)) {
                c.to_string()
            } else {
                c.escape_unicode().to_string()
            }
        })
        .collect()
}

/// The text on one line, cut after `max` characters.
pub(in crate::cli) fn one_line(text: &str, max: usize) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(max)
        .collect();
    if text.chars().count() > max {
        shown.push('…');
    }
    shown
}

fn is_shown(c: char) -> bool {
    matches!(c, '\n' | '\t') || !(c.is_control() || is_direction(c))
}

/// Characters that turn the direction of writing, with which a text can look like another.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters without a shape.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_left_out() {
        assert_eq!(plain("a\u{1b}[2J\tb\r\n\u{202e}c\u{9b}"), "a[2J\tb\nc");
        assert_eq!(one_line("a\nb\u{1b}c", 10), "a b c");
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(
            escaped("a\nb\u{1b}\u{202e}\u{200b}ä"),
            "a\nb\\u{1b}\\u{202e}\\u{200b}ä"
        );
    }
}
