//! `cargo xtask bench`: how fast and how large the parts are. Builds the programs as they are shipped, then the bench, and
//! starts it.
//!
//! The small programs are built without a loader, for musl where that target is installed, else with the C library of this
//! machine linked in. Entry: [`command`].

use std::process::Command;

use anyhow::{Context, bail};

use crate::programs::{self, Build};
use crate::{deps, repo, stage, stage::Stages, test};

/// The page with the figures, and what stands around them there.
const PAGE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- figures: begin -->\n";
const END: &str = "<!-- figures: end -->";

/// Builds and measures; all arguments but `--smoke` and `--write` are the bench's own.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
    if has("--smoke") {
        return smoke(args);
    }
    if has("--write") && args.len() > 1 {
        bail!("`bench --write` measures everything, and takes nothing else");
    }
    let program = repo::target_dir().join("release/sympozium-bench");
    let mut stages = Stages::default();
    stages.command(
        "build the bench",
        &mut repo::cargo(&["build", "--release", "-p", "sympozium-bench"]),
    );
    stages.finish()?;
    // It knows its figures; a wrong name is said now and not after the programs were built.
    if !has("--write")
        && !Command::new(&program)
            .arg("--check")
            .args(args)
            .status()?
            .success()
    {
        bail!("nothing was measured");
    }
    let build = small_programs()?;
    let mut stages = Stages::default();
    stages.command("build the small programs", &mut build.command()?);
    stages.finish()?;
    let mut bench = Command::new(program);
    match test::nats_server() {
        Ok(server) => {
            bench.env("SYMPOZIUM_TEST_NATS", server);
        }
        Err(error) => stage::skipped("the figures of the bridge", &format!("{error:#}")),
    }
    let programs = format!("Programs for {}, profile {}.", build.target, build.profile);
    bench
        .arg("--programs")
        .arg(build.folder())
        .args(["--built", &programs]);
    if has("--write") {
        return write(&repo::stdout_of(bench.arg("--markdown"))?);
    }
    bench.args(args);
    let status = bench.status().context("start the bench")?;
    if !status.success() {
        bail!("not everything could be measured");
    }
    Ok(())
}

/// Puts the figures into their page.
fn write(figures: &str) -> anyhow::Result<()> {
    let path = repo::root().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("read {PAGE}"))?;
    let page =
        with_figures(&page, figures).with_context(|| format!("find the place of the figures in {PAGE}"))?;
    std::fs::write(&path, page).with_context(|| format!("write {PAGE}"))
}

fn with_figures(page: &str, figures: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{figures}{END}{after}"))
}

/// Only proves that every figure can be measured, with the programs of the tests.
fn smoke(args: &[String]) -> anyhow::Result<()> {
    if args.len() > 1 {
        bail!("`bench --smoke` measures everything, and takes nothing else");
    }
    let mut stages = Stages::default();
    let programs = ["build", "-p", "sympozium-bins", "--bins"];
    stages.command("build the programs", &mut repo::cargo(&programs));
    stages.command(
        "measure",
        &mut repo::cargo(&["test", "-p", "sympozium-bench", "--test", "smoke"]),
    );
    stages.finish()
}

/// All programs but the `sympozium` command, which is not small.
fn small_programs() -> anyhow::Result<Build> {
    let host = programs::host()?;
    let musl = programs::musl(&host);
    let mut features = deps::features_of("sympozium-bins")?;
    features.retain(|feature| feature != "cli");
    Ok(Build {
        target: if programs::is_installed(&musl)? {
            musl
        } else {
            host
        },
        profile: programs::SHIPPED.to_owned(),
        features: features.join(","),
        bins: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_replace_the_ones_before_and_nothing_else() {
        let page = format!("a\n{BEGIN}old\n{END}\nb\n");
        let expected = format!("a\n{BEGIN}new\n{END}\nb\n");
        assert_eq!(with_figures(&page, "new\n"), Some(expected));
        assert_eq!(with_figures("a\n", "new\n"), None);
        let page = std::fs::read_to_string(repo::root().join(PAGE)).unwrap();
        assert!(with_figures(&page, "").is_some());
    }
}
