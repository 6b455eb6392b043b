//! The result on standard output, for people and old tooling. Never trusted where better evidence is at hand.

use crate::run::AgentResult;

/// Opens the result.
pub const RESULT_START: &str = "__SYMPOZIUM_RESULT__";
/// Closes the result.
pub const RESULT_END: &str = "__SYMPOZIUM_END__";

/// The result as one line to print.
pub fn result_line(result: &AgentResult) -> String {
    // A result holds strings and numbers only, so it can always be written.
    let json = serde_json::to_string(result).unwrap_or_default();
    format!("{RESULT_START}{json}{RESULT_END}")
}

/// The last whole result in a log; `None` when there is none that can be read.
pub fn result_from_log(log: &str) -> Option<AgentResult> {
    log.lines()
        .rev()
        .filter_map(|line| line.trim().strip_prefix(RESULT_START)?.strip_suffix(RESULT_END))
        .find_map(|json| serde_json::from_str(json).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{ResultMetrics, ResultStatus};

    #[test]
    fn the_last_readable_result_of_a_log_counts() {
        let result = |text: &str| AgentResult {
            status: ResultStatus::Success,
            response: text.to_owned(),
            error: None,
            metrics: ResultMetrics::default(),
            limit: None,
        };
        let log = format!(
            "hello\n{}\nmodel says {RESULT_START}{{}}{RESULT_END}\n{}\n{RESULT_START}{{broken{RESULT_END}\n",
            result_line(&result("one")),
            result_line(&result("two\nlines")),
        );
        assert_eq!(result_from_log(&log), Some(result("two\nlines")));
        assert_eq!(result_from_log("nothing"), None);
    }
}
