//! `cargo xtask test`: everything that can be tested on this machine, and one line of numbers at the end.
//!
//! Each stage prints a line; a failed one prints all it said. What cannot run here is named with its reason and counts as
//! skipped. Entry: [`command`].

mod cluster;
mod postgres;
mod python;

use std::process::Command;
use std::time::Instant;

use anyhow::bail;

use crate::counts::Counts;
use crate::{fuzz, repo, stage};

/// Seconds of new inputs for each fuzz target in an ordinary test run.
const FUZZ_SECONDS: u32 = 5;

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Cargo's tests alone: no PostgreSQL, no Python, no fuzzing, no cluster.
    fast: bool,
    /// Goes to `cargo test` as it is. With a filter only cargo's tests run.
    filter: Vec<String>,
}

fn parse(args: &[String]) -> anyhow::Result<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    for arg in args.by_ref() {
        match arg.as_str() {
            "--fast" => options.fast = true,
            "--" => break,
            other => bail!("`test` does not know {other:?}; it takes --fast, and a filter after `--`"),
        }
    }
    options.filter = args.cloned().collect();
    Ok(options)
}

/// Runs all stages; the last line that it prints is the sum over all of them.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    let counts = run(args)?;
    finish(counts, false)
}

/// Prints the sum and ends the program. The sum is the last line, so the exit code alone tells of a failure, in the tests
/// or (`failed_before`) in what ran before them.
pub(crate) fn finish(counts: Counts, failed_before: bool) -> ! {
    println!("{counts}");
    std::process::exit(i32::from(failed_before || counts.failed > 0))
}

/// Runs all stages, and sums up what they counted.
pub(crate) fn run(args: &[String]) -> anyhow::Result<Counts> {
    let options = parse(args)?;
    let start = Instant::now();
    let mut counts = Counts::default();
    let server = database(&options, &mut counts);
    counts += run_stage("build programs and examples", &mut build(), |_| Counts::default());
    counts += run_stage(
        "unit and integration tests",
        &mut cargo_tests(&options, server.as_ref().map(postgres::Server::url)),
        Counts::from_cargo,
    );
    drop(server);
    counts += run_stage("doc tests", &mut doc_tests(&options), Counts::from_cargo);
    if options.fast || !options.filter.is_empty() {
        counts += skip("OpenAI Python client", "only cargo's tests were asked for");
        counts += skip("fuzz targets", "only cargo's tests were asked for");
        counts += skip("test cluster", "only cargo's tests were asked for");
    } else {
        counts += python::stage();
        counts += fuzz::stage(FUZZ_SECONDS);
        counts += cluster::stage();
    }
    stage::line(
        "all tests",
        start.elapsed(),
        if counts.failed == 0 { "ok" } else { "FAILED" },
    );
    Ok(counts)
}

/// Says loudly that a part does not run, and counts it.
fn skip(name: &str, reason: &str) -> Counts {
    stage::skipped(name, reason);
    Counts::SKIPPED
}

fn database(options: &Options, counts: &mut Counts) -> Option<postgres::Server> {
    let name = "start PostgreSQL";
    if options.fast {
        *counts += skip(name, "--fast was asked for");
        return None;
    }
    let start = Instant::now();
    match postgres::Server::start() {
        Ok(server) => {
            stage::line(name, start.elapsed(), "ok");
            Some(server)
        }
        Err(error) => {
            *counts += skip(name, &format!("{error:#}"));
            None
        }
    }
}

/// Programs that tests start are built first, with the features that the tests have: `cargo test` builds no examples when
/// it is told which targets to test.
pub(crate) fn build() -> Command {
    repo::cargo(&["build", "--workspace", "--all-features", "--bins", "--examples"])
}

fn cargo_tests(options: &Options, postgres_url: Option<&str>) -> Command {
    let mut command = repo::cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--no-fail-fast",
        "--lib",
        "--bins",
        "--tests",
        "--",
    ]);
    command.args(&options.filter);
    match postgres_url {
        // Tests are ignored for one reason only: that there is no server.
        Some(url) => command
            .arg("--include-ignored")
            .env("SYMPOZIUM_TEST_POSTGRES", url),
        // A server that somebody else runs is not ours to write into.
        None => command.env_remove("SYMPOZIUM_TEST_POSTGRES"),
    };
    command
}

fn doc_tests(options: &Options) -> Command {
    let mut command = repo::cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--no-fail-fast",
        "--doc",
        "--",
    ]);
    command.args(&options.filter);
    command
}

/// Runs one test program; prints its line, and all its output when it failed.
fn run_stage(name: &str, command: &mut Command, count: impl FnOnce(&str) -> Counts) -> Counts {
    let start = Instant::now();
    let (counts, output) = match stage::capture(name, command) {
        Ok(finished) => (
            count(&finished.output).with_exit(finished.success),
            finished.output,
        ),
        Err(error) => (Counts::FAILED, format!("{error:#}")),
    };
    let word = if counts.failed > 0 { "FAILED" } else { "ok" };
    let verdict = if counts == Counts::default() {
        word.to_owned()
    } else {
        format!("{word} ({counts})")
    };
    stage::line(name, start.elapsed(), &verdict);
    if counts.failed > 0 {
        println!("{}", output.trim_end());
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn what_follows_two_dashes_goes_to_cargo_as_it_is() {
        let options = parse(&words("--fast -- policy --fast")).unwrap();
        assert_eq!(
            options,
            Options {
                fast: true,
                filter: words("policy --fast")
            }
        );
    }

    /// An ignored test that needs something else would fail where there is a server, and hide where there is none.
    #[test]
    fn tests_are_ignored_only_for_want_of_postgres() {
        let reason = format!(
            "#[ignore = \"needs a PostgreSQL server in {}\"]",
            "SYMPOZIUM_TEST_POSTGRES"
        );
        for path in repo::tracked(&[".rs"]).unwrap() {
            let text = std::fs::read_to_string(repo::root().join(&path)).unwrap();
            let ignores = text
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("#[ignore"));
            for line in ignores {
                assert_eq!(line, reason, "{path}");
            }
        }
    }

    #[test]
    fn with_a_server_the_tests_that_need_one_are_not_ignored() {
        let words = |command: &Command| -> Vec<String> {
            command
                .get_args()
                .map(|word| word.to_string_lossy().into_owned())
                .collect()
        };
        let without = cargo_tests(&Options::default(), None);
        assert!(!words(&without).contains(&"--include-ignored".to_owned()));
        let with = cargo_tests(&Options::default(), Some("postgres://127.0.0.1/x"));
        assert!(words(&with).contains(&"--include-ignored".to_owned()));
    }

    #[test]
    fn an_unknown_flag_is_refused() {
        let error = parse(&words("--quick")).unwrap_err();
        assert!(error.to_string().contains("--quick"), "{error}");
    }
}
