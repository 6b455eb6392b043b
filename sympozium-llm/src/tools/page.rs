//! How much of something long a model gets to read at once, and how it gets the rest. Pure.

use std::fmt::Write;

/// The most bytes of a file that one `read_file` shows.
pub(crate) const MAX_FILE_PAGE: usize = 100_000;
/// The most bytes of output that one command shows.
pub(crate) const MAX_COMMAND_OUTPUT: usize = 50_000;
/// The most entries that one `list_directory` shows.
pub(crate) const MAX_ENTRIES: usize = 1000;

/// A page of a file as the model reads it. `bytes` begin at `offset` of a file of `total` bytes.
pub(crate) fn file_page(bytes: &[u8], offset: u64, total: u64) -> String {
    if total == 0 {
        return "(the file is empty)".to_owned();
    }
    if bytes.is_empty() {
        return format!("(nothing at offset {offset}: the file has {total} bytes)");
    }
    // A page ends and begins with whole characters, so that pages can be put together.
    let whole = whole_characters(bytes, offset + bytes.len() as u64 >= total);
    let mut text = String::from_utf8_lossy(whole).into_owned();
    let end = offset + whole.len() as u64;
    if offset > 0 || end < total {
        let _ = write!(text, "\n[bytes {offset} to {end} of {total}");
        if end < total {
            let _ = write!(text, "; read on with offset {end}");
        }
        text.push(']');
    }
    text
}

/// Leaves out a character that is cut at the end, unless the file ends there or it is no text at all.
fn whole_characters(bytes: &[u8], at_end: bool) -> &[u8] {
    if at_end {
        return bytes;
    }
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            bytes.get(..error.valid_up_to()).unwrap_or(bytes)
        }
        Ok(_) | Err(_) => bytes,
    }
}

/// A text cut in the middle to at most `max` bytes: beginnings name what happened, ends how it went.
pub(crate) fn cut_middle(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let head = (0..=max / 2)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0);
    let tail = (text.len() - max / 2..=text.len())
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(text.len());
    format!(
        "{}\n[cut: {} of {} bytes left out here; write the output to a file and read it in pieces to see all]\n{}",
        text.get(..head).unwrap_or_default(),
        tail - head,
        text.len(),
        text.get(tail..).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_rest_is() {
        for (bytes, offset, total, expected) in [
            ("", 0, 0, "(the file is empty)"),
            ("", 9, 5, "(nothing at offset 9: the file has 5 bytes)"),
            ("hello", 0, 5, "hello"),
            ("hello", 0, 9, "hello\n[bytes 0 to 5 of 9; read on with offset 5]"),
            ("rest", 5, 9, "rest\n[bytes 5 to 9 of 9]"),
        ] {
            assert_eq!(file_page(bytes.as_bytes(), offset, total), expected);
        }
    }

    #[test]
    fn pages_join_without_a_broken_character() {
        let text = "aä".repeat(10);
        let page = file_page(&text.as_bytes()[..5], 0, text.len() as u64);
        assert_eq!(page, "aäa\n[bytes 0 to 4 of 30; read on with offset 4]");
    }

    #[test]
    fn a_cut_keeps_both_ends_and_says_how_much_is_gone() {
        assert_eq!(cut_middle("short", 10), "short");
        let cut = cut_middle(&"ä".repeat(100), 21);
        assert!(cut.starts_with("äääää\n[cut: 180 of 200 bytes"), "{cut}");
        assert!(cut.ends_with("]\näääää"), "{cut}");
    }
}
