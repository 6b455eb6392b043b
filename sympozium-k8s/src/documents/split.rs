//! Cuts a YAML stream into its documents.

/// One document of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Its text, without the marker before it.
    pub(super) text: &'a str,
    /// How many lines of the file are before it.
    pub(super) lines_before: u64,
}

/// Cuts at every line that is `---`, or starts with `--- `: in column one this is a document marker everywhere, because
/// no scalar may hold such a line. Pieces without content are left out.
pub(super) fn split(stream: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut start_line) = (0, 0);
    let (mut at, mut line) = (0, 0);
    for text in stream.split_inclusive('\n') {
        let end = at + text.len();
        if is_marker(text) {
            push(&mut pieces, stream.get(start..at), start_line);
            // What follows a marker on its line belongs to the document, so the line is kept, only without the dashes.
            (start, start_line) = (at + 3, line);
        }
        at = end;
        line += 1;
    }
    push(&mut pieces, stream.get(start..), start_line);
    pieces
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn push<'a>(pieces: &mut Vec<Piece<'a>>, text: Option<&'a str>, lines_before: u64) {
    let Some(text) = text else { return };
    let has_content = text.lines().any(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && line != "..."
    });
    if has_content {
        pieces.push(Piece { text, lines_before });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_cut_at_markers_and_know_their_line() {
        for (stream, expected) in [
            ("a: 1\n", vec![("a: 1\n", 0)]),
            ("---\na: 1\n", vec![("\na: 1\n", 0)]),
            ("a: 1\n---\nb: 2\n", vec![("a: 1\n", 0), ("\nb: 2\n", 1)]),
            ("# only\n---\n\n---\nb: 2", vec![("\nb: 2", 3)]),
            ("a: |\n  ---\n  x\n", vec![("a: |\n  ---\n  x\n", 0)]),
            ("---a: 1\n", vec![("---a: 1\n", 0)]),
            (
                "--- {a: 1}\r\n---\r\nb: 1",
                vec![(" {a: 1}\r\n", 0), ("\r\nb: 1", 1)],
            ),
            ("", vec![]),
        ] {
            let pieces: Vec<_> = split(stream).iter().map(|p| (p.text, p.lines_before)).collect();
            assert_eq!(pieces, expected, "{stream:?}");
        }
    }
}
