//! The rules that hold for the text of files: no unfinished work, no example that is not compiled, no file too long.
//!
//! Pure: a path and a content in, findings out.

/// A Rust file with more lines than this, tests apart, has to be split.
const SPLIT_AT: usize = 500;
/// From here on it is worth a look.
const LOOK_AT: usize = 300;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// From 1.
    pub(super) line: usize,
    pub(super) what: String,
    /// Worth a look, but no failure.
    pub(super) warning: bool,
}

impl Finding {
    fn error(line: usize, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
            warning: false,
        }
    }
}

/// Marks of unfinished work anywhere, and code blocks in docs that the compiler never sees.
pub(super) fn forbidden(path: &str, content: &str) -> Vec<Finding> {
    // Put together here, so that this file does not break its own rule.
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
    ];
    let has_examples = has_ending(path, "rs") || has_ending(path, "md");
    let mut found = Vec::new();
    for (index, line) in content.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            found.push(Finding::error(
                index + 1,
                format!("`{word}` is a mark of unfinished work"),
            ));
        }
        if has_examples && opens_ignored_block(line) {
            found.push(Finding::error(
                index + 1,
                "a code block must compile: `no_run` or `text`, not `ignore`",
            ));
        }
    }
    found
}

fn has_ending(path: &str, ending: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == ending)
}

fn opens_ignored_block(line: &str) -> bool {
    let text = line.trim_start();
    let text = text
        .strip_prefix("///")
        .or_else(|| text.strip_prefix("//!"))
        .unwrap_or(text)
        .trim_start();
    text.strip_prefix("```")
        .is_some_and(|info| info.split([',', ' ']).any(|word| word.starts_with("ignore")))
}

/// Rust files that have grown too long, counted up to their tests.
pub(super) fn too_long(path: &str, content: &str) -> Vec<Finding> {
    if !has_ending(path, "rs") || path.contains("/tests/") || path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let lines = lines_before_tests(content);
    let what = format!("{lines} lines without tests; files are split at {SPLIT_AT}");
    match lines {
        lines if lines > SPLIT_AT => vec![Finding::error(lines, what)],
        lines if lines > LOOK_AT => vec![Finding {
            line: lines,
            what,
            warning: true,
        }],
        _ => Vec::new(),
    }
}

fn lines_before_tests(content: &str) -> usize {
    let lines: Vec<&str> = content.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        matches!(pair, [attribute, module] if attribute.starts_with("#[cfg(test)]") && module.contains("mod ") && module.ends_with('{'))
    });
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_found(path: &str, content: &str) -> Vec<usize> {
        forbidden(path, content)
            .into_iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn marks_of_unfinished_work_are_found_in_every_file() {
        let content = format!("fine\n{}) later\n", concat!("todo", "!("));
        assert_eq!(lines_found("a/b.rs", &content), [2]);
        assert_eq!(lines_found("Makefile", &content), [2]);
    }

    #[test]
    fn ignored_code_blocks_are_found_in_docs_and_pages_only() {
        let fence = "```";
        assert_eq!(
            lines_found("a.rs", &format!("/// {fence}ignore\n//! {fence}rust,ignore\n")),
            [1, 2]
        );
        assert_eq!(
            lines_found("a.md", &format!("{fence}no_run\n{fence}ignore\n")),
            [2]
        );
        assert_eq!(lines_found("a.txt", &format!("{fence}ignore\n")), [0_usize; 0]);
    }

    #[test]
    fn tests_at_the_end_of_a_file_do_not_count_as_its_length() {
        let long_tests = format!(
            "fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "// x\n".repeat(900)
        );
        assert_eq!(too_long("src/a.rs", &long_tests), []);
        let body = "// x\n";
        assert!(
            too_long("src/a.rs", &body.repeat(301))
                .iter()
                .all(|finding| finding.warning)
        );
        assert!(
            too_long("src/a.rs", &body.repeat(501))
                .iter()
                .any(|finding| !finding.warning)
        );
        assert_eq!(too_long("src/a.rs", &body.repeat(300)), []);
        assert_eq!(too_long("a/tests/long.rs", &body.repeat(900)), []);
    }
}
