//! `cargo xtask test`: everything that can be tested on this machine, and one line of numbers at the end.
//!
//! Each stage prints a line; a failed one prints all it said. What cannot run here is named with its reason and counts as
//! skipped. Entry: [`command`].

mod cluster;
mod images;
mod nats;
mod postgres;
mod python;

use std::path::PathBuf;
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
    /// Cargo's tests alone: no PostgreSQL, no NATS, no Python, no fuzzing, no cluster.
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
    let servers = Servers::find(&options, &mut counts);
    counts += run_stage("build programs and examples", &mut build(), |_| Counts::default());
    counts += cargo_stages(&options, &servers);
    drop(servers);
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

/// The servers that tests need and this machine has.
#[derive(Debug, Default)]
struct Servers {
    postgres: Option<postgres::Server>,
    /// The program; each test starts its own.
    nats: Option<PathBuf>,
}

impl Servers {
    fn find(options: &Options, counts: &mut Counts) -> Self {
        Self {
            postgres: server(options, counts, "start PostgreSQL", postgres::Server::start),
            nats: server(options, counts, "find or build nats-server", nats::program),
        }
    }
}

fn server<T>(
    options: &Options,
    counts: &mut Counts,
    name: &str,
    find: fn() -> anyhow::Result<T>,
) -> Option<T> {
    if options.fast {
        *counts += skip(name, "--fast was asked for");
        return None;
    }
    let start = Instant::now();
    match find() {
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

/// The path of a `nats-server`, built when it is not there.
pub(crate) fn nats_server() -> anyhow::Result<std::path::PathBuf> {
    nats::program()
}

/// Programs that tests start are built first, with the features that the tests have: `cargo test` builds no examples when
/// it is told which targets to test.
pub(crate) fn build() -> Command {
    repo::cargo(&["build", "--workspace", "--all-features", "--bins", "--examples"])
}

/// What the name of a test that needs NATS contains: so it can be told from those that need PostgreSQL.
const ON_NATS: &str = "on_nats";

/// What the name of a test that needs a cluster contains. They run in the test cluster, in a stage of their own.
pub(super) const ON_AN_API_SERVER: &str = "on_a_real_api_server";

/// Cargo's tests; those that need NATS in a run of their own where there is NATS and no PostgreSQL.
fn cargo_stages(options: &Options, servers: &Servers) -> Counts {
    let mut all = cargo_tests(options, servers);
    let mut counts = run_stage("unit and integration tests", &mut all, Counts::from_cargo);
    if servers.nats.is_some() && servers.postgres.is_none() && options.filter.is_empty() {
        let mut nats = cargo_test(servers);
        nats.args(["--ignored", ON_NATS]);
        counts += run_stage("tests on NATS", &mut nats, Counts::from_cargo);
    }
    counts
}

/// Tests are ignored for one reason only: that there is no server.
fn cargo_tests(options: &Options, servers: &Servers) -> Command {
    let mut command = cargo_test(servers);
    command
        .args(&options.filter)
        .args(also_ignored(servers.postgres.is_some(), servers.nats.is_some()));
    command
}

/// The arguments by which ignored tests run whose server is there. With NATS alone none: those run by themselves.
fn also_ignored(postgres: bool, nats: bool) -> &'static [&'static str] {
    match (postgres, nats) {
        (true, true) => &["--include-ignored", "--skip", ON_AN_API_SERVER],
        (true, false) => &["--include-ignored", "--skip", ON_AN_API_SERVER, "--skip", ON_NATS],
        (false, _) => &[],
    }
}

fn cargo_test(servers: &Servers) -> Command {
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
    match &servers.postgres {
        Some(server) => command.env("SYMPOZIUM_TEST_POSTGRES", server.url()),
        // A server that somebody else runs is not ours to write into.
        None => command.env_remove("SYMPOZIUM_TEST_POSTGRES"),
    };
    match &servers.nats {
        Some(program) => command.env("SYMPOZIUM_TEST_NATS", program),
        None => command.env_remove("SYMPOZIUM_TEST_NATS"),
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
    fn tests_are_ignored_only_for_want_of_a_server() {
        let reason = |server: &str, variable: &str| format!("#[ignore = \"needs {server} in {variable}\"]");
        let postgres = reason("a PostgreSQL server", "SYMPOZIUM_TEST_POSTGRES");
        let nats = reason("nats-server", "SYMPOZIUM_TEST_NATS");
        let cluster = reason("a Kubernetes API server", "KUBECONFIG");
        for path in repo::tracked(&[".rs"]).unwrap() {
            let text = std::fs::read_to_string(repo::root().join(&path)).unwrap();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for (index, line) in lines.iter().enumerate() {
                if line.starts_with("#[ignore") {
                    assert!(
                        [&postgres, &nats, &cluster].contains(&&(*line).to_owned()),
                        "{path}: {line}"
                    );
                    let mut rest = lines[index..].iter();
                    let name = rest.find(|line| line.contains("fn ")).unwrap();
                    assert_eq!(name.contains(ON_NATS), *line == nats, "{path}: {name}");
                    assert_eq!(
                        name.contains(ON_AN_API_SERVER),
                        *line == cluster,
                        "{path}: {name}"
                    );
                }
            }
        }
    }

    #[test]
    fn tests_that_need_a_server_run_where_it_is() {
        for (postgres, nats, wanted) in [
            (false, false, ""),
            (false, true, ""),
            (
                true,
                false,
                "--include-ignored --skip on_a_real_api_server --skip on_nats",
            ),
            (true, true, "--include-ignored --skip on_a_real_api_server"),
        ] {
            assert_eq!(also_ignored(postgres, nats), words(wanted));
        }
        let found = cargo_tests(&Options::default(), &Servers::default());
        assert!(
            found
                .get_envs()
                .all(|(name, value)| value.is_none() || name != "SYMPOZIUM_TEST_NATS")
        );
    }

    #[test]
    fn an_unknown_flag_is_refused() {
        let error = parse(&words("--quick")).unwrap_err();
        assert!(error.to_string().contains("--quick"), "{error}");
    }
}
