//! `cargo xtask fuzz`: the targets of `fuzz/`, on the stable toolchain and without any installed tool but a C++ compiler.
//!
//! The compiler's own coverage pass feeds libFuzzer, which `libfuzzer-sys` builds from source. A target first runs its
//! stored corpus, then makes inputs of its own for some seconds; those go to the build folder, never into the corpus.
//! Entries: [`command`], and [`stage`] for the tests.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::counts::Counts;
use crate::{install, repo, stage as stages};

const DEFAULT_SECONDS: u32 = 5;

/// Coverage at edges, with counters, a table of places, and compared values. One codegen unit keeps the tables whole.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";

/// Runs the named targets, or all.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    let (seconds, wanted) = parse(args)?;
    let all = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        bail!(
            "there is no fuzz target {unknown:?}; there are: {}",
            all.join(", ")
        );
    }
    let chosen = if wanted.is_empty() { all } else { wanted };
    require_compiler()?;
    let counts = run(&chosen, seconds)?;
    if counts.failed > 0 {
        bail!(
            "{} of {} targets failed; the inputs are in fuzz/artifacts",
            counts.failed,
            chosen.len()
        );
    }
    Ok(())
}

/// All targets as a part of the tests: each counts as one.
pub(crate) fn stage(seconds: u32) -> Counts {
    if let Err(error) = require_compiler() {
        stages::skipped("fuzz targets", &format!("{error:#}"));
        return Counts::SKIPPED;
    }
    match targets().and_then(|targets| run(&targets, seconds)) {
        Ok(counts) => counts,
        Err(error) => {
            println!("fuzz targets: {error:#}");
            Counts::FAILED
        }
    }
}

fn parse(args: &[String]) -> anyhow::Result<(u32, Vec<String>)> {
    let mut seconds = DEFAULT_SECONDS;
    let mut wanted = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let value = args.next().context("--seconds needs a number")?;
            seconds = value
                .parse()
                .with_context(|| format!("--seconds needs a number of seconds, not {value:?}"))?;
        } else if arg.starts_with('-') {
            bail!("`fuzz` does not know {arg:?}; it takes --seconds N, and names of targets");
        } else {
            wanted.push(arg.clone());
        }
    }
    // To libFuzzer, 0 means without end.
    if seconds == 0 {
        bail!("--seconds needs at least 1");
    }
    Ok((seconds, wanted))
}

/// The names of the files in `fuzz/fuzz_targets`, sorted.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = repo::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry
            .with_context(|| format!("read {}", folder.display()))?
            .path();
        if path.extension().is_some_and(|ending| ending == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// libFuzzer is C++.
fn require_compiler() -> anyhow::Result<()> {
    if ["g++", "c++", "clang++"]
        .iter()
        .any(|program| install::find(program).is_some())
    {
        return Ok(());
    }
    install::apt(&["g++"])
}

fn run(targets: &[String], seconds: u32) -> anyhow::Result<Counts> {
    let start = Instant::now();
    let host = host()?;
    let build_dir = repo::target_dir().join("fuzz");
    let mut build = repo::cargo(&[
        "build",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--locked",
        "--release",
    ]);
    // With an explicit target the flags reach our code and its dependencies, but no build script and no macro.
    build
        .args(["--target", &host])
        .env("CARGO_TARGET_DIR", &build_dir)
        .env("RUSTFLAGS", FLAGS);
    build.args(targets.iter().flat_map(|name| ["--bin", name]));
    let finished = stages::capture("build fuzz targets", &mut build)?;
    if !finished.success {
        bail!("the fuzz targets do not build:\n{}", finished.output.trim_end());
    }
    stages::line("build fuzz targets", start.elapsed(), "ok");
    let programs = build_dir.join(host).join("release");
    let mut counts = Counts::default();
    for name in targets {
        counts += run_target(name, &programs, seconds)?;
    }
    Ok(counts)
}

fn host() -> anyhow::Result<String> {
    let version = repo::stdout_of(Command::new("rustc").arg("-vV").current_dir(repo::root()))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

fn run_target(name: &str, programs: &Path, seconds: u32) -> anyhow::Result<Counts> {
    let start = Instant::now();
    let corpus = repo::root().join("fuzz/corpus").join(name);
    let artifacts = repo::root().join("fuzz/artifacts").join(name);
    let found = repo::target_dir().join("fuzz/found").join(name);
    // What an earlier run found would make this one depend on it.
    if found.exists() {
        std::fs::remove_dir_all(&found).with_context(|| format!("empty {}", found.display()))?;
    }
    for dir in [&artifacts, &found] {
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    }
    if !corpus.is_dir() {
        bail!(
            "the fuzz target {name} has no corpus: {} is missing",
            corpus.display()
        );
    }
    let mut fuzzer = Command::new(programs.join(name));
    fuzzer
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()));
    // One input gets 10 s and all together 2 GiB: a hang and a leak are findings too.
    fuzzer.args([
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-max_len=65536",
        "-print_final_stats=1",
    ]);
    // New inputs go to the first folder; the second is only read.
    fuzzer.arg(&found).arg(&corpus).current_dir(repo::root());
    let finished = stages::capture(&format!("fuzz {name}"), &mut fuzzer)?;
    let executed = finished
        .output
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let verdict = if finished.success { "ok" } else { "FAILED" };
    let verdict = format!("{verdict} ({} inputs)", executed.unwrap_or("?").trim());
    stages::line(&format!("fuzz {name}"), start.elapsed(), &verdict);
    if finished.success {
        return Ok(Counts::PASSED);
    }
    // Lines with a number sign are the fuzzer's progress.
    let told: Vec<&str> = finished
        .output
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    println!("{}", told.join("\n"));
    Ok(Counts::FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn seconds_and_targets_are_read_in_any_order() {
        assert_eq!(
            parse(&words("sse --seconds 7 memory_merge")).unwrap(),
            (7, words("sse memory_merge"))
        );
        assert_eq!(parse(&[]).unwrap(), (DEFAULT_SECONDS, vec![]));
    }

    #[test]
    fn a_run_without_end_and_unknown_flags_are_refused() {
        for line in ["--seconds 0", "--seconds x", "--seconds", "--jobs 2"] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn every_target_has_a_corpus() {
        for name in targets().unwrap() {
            let corpus = repo::root().join("fuzz/corpus").join(&name);
            assert!(
                corpus.read_dir().is_ok_and(|mut files| files.next().is_some()),
                "{name} has no stored inputs"
            );
        }
    }
}
