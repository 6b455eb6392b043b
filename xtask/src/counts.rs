//! How many tests passed, failed and were skipped, read from what the test programs print.
//!
//! Pure: text in, numbers out. Entry: [`Counts`].

use std::fmt;
use std::ops::{Add, AddAssign};

/// The sum that ends `cargo xtask test`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Ignored tests, and parts that could not run here.
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) const PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    pub(crate) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
    pub(crate) const SKIPPED: Self = Self {
        passed: 0,
        failed: 0,
        skipped: 1,
    };

    /// The sum over all `test result:` lines that `cargo test` printed.
    pub(crate) fn from_cargo(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            let Some((_, numbers)) = line.split_once("test result: ") else {
                continue;
            };
            // `ok. 3 passed; 0 failed; …`: the first number follows the verdict.
            let numbers = numbers.split_once(". ").map_or(numbers, |(_, after)| after);
            sum += Self::from_pairs(numbers.split(';'));
        }
        sum
    }

    /// The last line of pytest's summary: `2 failed, 3 passed, 1 skipped in 0.12s`.
    pub(crate) fn from_pytest(output: &str) -> Self {
        let summary = output.lines().rev().find(|line| {
            line.contains(" in ")
                && ["passed", "failed", "skipped", "error"]
                    .iter()
                    .any(|word| line.contains(word))
        });
        let summary = summary
            .unwrap_or_default()
            .trim_matches(|sign: char| sign == '=' || sign == ' ');
        Self::from_pairs(summary.split(" in ").next().unwrap_or_default().split(','))
    }

    /// The verdicts that `go test -v` prints, one a test; those of parts of tests are indented.
    pub(crate) fn from_go(output: &str) -> Self {
        let count = |start: &str| {
            let lines = output.lines().filter(|line| line.starts_with(start)).count();
            u64::try_from(lines).unwrap_or(u64::MAX)
        };
        Self {
            passed: count("--- PASS: "),
            failed: count("--- FAIL: "),
            skipped: count("--- SKIP: "),
        }
    }

    /// A program that ended badly without naming a failed test (it did not compile, it crashed) counts as one failure.
    pub(crate) fn with_exit(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }

    fn from_pairs<'a>(pairs: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = Self::default();
        for pair in pairs {
            let mut words = pair.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => counts.passed += number,
                "failed" | "error" | "errors" => counts.failed += number,
                "ignored" | "skipped" => counts.skipped += number,
                // `measured`, `filtered out`, `warnings`: not tests that ran.
                _ => {}
            }
        }
        counts
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn all_result_lines_of_cargo_are_summed() {
        let output = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(Counts::from_cargo(output), counts(4, 2, 1));
    }

    #[test]
    fn the_summary_of_pytest_is_read_with_and_without_its_rulers() {
        assert_eq!(
            Counts::from_pytest("..s\n3 passed, 1 skipped in 0.12s\n"),
            counts(3, 0, 1)
        );
        assert_eq!(
            Counts::from_pytest("=== 1 failed, 2 passed, 1 error in 1.0s ===\n"),
            counts(2, 2, 0)
        );
    }

    #[test]
    fn tests_of_go_count_and_their_parts_do_not() {
        let output = "=== RUN   TestA\n    --- PASS: TestA/part (0.00s)\n--- PASS: TestA (0.00s)\n\
            --- FAIL: TestB (0.00s)\n--- SKIP: TestC (0.00s)\n--- PASS: TestD (0.00s)\nFAIL\n";
        assert_eq!(Counts::from_go(output), counts(2, 1, 1));
    }

    #[test]
    fn a_program_that_dies_without_a_summary_is_one_failure() {
        assert_eq!(
            Counts::from_cargo("error[E0425]: no").with_exit(false),
            counts(0, 1, 0)
        );
        assert_eq!(counts(3, 2, 0).with_exit(false), counts(3, 2, 0));
        assert_eq!(counts(3, 0, 0).with_exit(true), counts(3, 0, 0));
    }

    #[test]
    fn the_last_line_has_one_fixed_form() {
        assert_eq!(counts(12, 0, 3).to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
