//! `cargo xtask bench`: how fast and how large the parts are. Builds the programs as they are shipped, then the bench, and
//! starts it.
//!
//! The small programs are built without a loader, for musl where that target is installed, else with the C library of this
//! machine linked in. Entry: [`command`].

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{deps, repo, stage, stage::Stages, test};

/// How the small programs are built.
#[derive(Debug, PartialEq, Eq)]
struct Build {
    target: String,
    /// The profile for shipped programs where there is one, else `release`.
    profile: &'static str,
    /// The features of all programs but the `sympozium` command, which is not small.
    features: String,
}

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
    let build = Build::here()?;
    let mut stages = Stages::default();
    stages.command("build the small programs", &mut build.programs());
    stages.command(
        "build the bench",
        &mut repo::cargo(&["build", "--release", "-p", "sympozium-bench"]),
    );
    stages.finish()?;
    let mut bench = Command::new(repo::target_dir().join("release/sympozium-bench"));
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

impl Build {
    fn here() -> anyhow::Result<Self> {
        let version = repo::stdout_of(Command::new("rustc").arg("-vV").current_dir(repo::root()))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not say for what it compiles")?;
        let root = repo::stdout_of(
            Command::new("rustc")
                .args(["--print", "sysroot"])
                .current_dir(repo::root()),
        )?;
        let installed = |target: &str| {
            PathBuf::from(root.trim())
                .join("lib/rustlib")
                .join(target)
                .is_dir()
        };
        let manifest = repo::root().join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).context("read Cargo.toml")?;
        let mut features = deps::features_of("sympozium-bins")?;
        features.retain(|feature| feature != "cli");
        Ok(Self::of(host, &manifest, features.join(","), installed))
    }

    fn of(host: &str, manifest: &str, features: String, installed: impl Fn(&str) -> bool) -> Self {
        let musl = host.replace("-gnu", "-musl");
        Self {
            target: if installed(&musl) { musl } else { host.to_owned() },
            profile: if manifest.lines().any(|line| line.trim() == "[profile.dist]") {
                "dist"
            } else {
                "release"
            },
            features,
        }
    }

    /// With a named target, the flags are for what is built alone, and not for what builds it.
    fn programs(&self) -> Command {
        let mut cargo = repo::cargo(&["build", "--profile", self.profile, "--target", &self.target]);
        cargo.args([
            "-p",
            "sympozium-bins",
            "--bins",
            "--no-default-features",
            "--features",
            &self.features,
        ]);
        let variable = self.target.to_uppercase().replace('-', "_");
        cargo.env(
            format!("CARGO_TARGET_{variable}_RUSTFLAGS"),
            "-C target-feature=+crt-static",
        );
        cargo
    }

    fn folder(&self) -> PathBuf {
        repo::target_dir().join(&self.target).join(self.profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn musl_is_taken_where_it_is_installed_and_the_shipped_profile_where_it_exists() {
        let host = "x86_64-unknown-linux-gnu";
        let musl = Build {
            target: "x86_64-unknown-linux-musl".to_owned(),
            profile: "dist",
            features: "a,b".to_owned(),
        };
        assert_eq!(
            Build::of(host, "[profile.dist]\n", "a,b".to_owned(), |target| target
                == musl.target),
            musl
        );
        let own = Build {
            target: host.to_owned(),
            profile: "release",
            features: "a,b".to_owned(),
        };
        assert_eq!(
            Build::of(host, "[profile.release]\n", "a,b".to_owned(), |_| false),
            own
        );
    }

    #[test]
    fn figures_replace_the_ones_before_and_nothing_else() {
        let page = format!("a\n{BEGIN}old\n{END}\nb\n");
        let expected = format!("a\n{BEGIN}new\n{END}\nb\n");
        assert_eq!(with_figures(&page, "new\n"), Some(expected));
        assert_eq!(with_figures("a\n", "new\n"), None);
        let page = std::fs::read_to_string(repo::root().join(PAGE)).unwrap();
        assert!(with_figures(&page, "").is_some());
    }

    #[test]
    fn programs_are_linked_without_a_loader() {
        let build = Build {
            target: "x86_64-unknown-linux-gnu".to_owned(),
            profile: "release",
            features: "a,b".to_owned(),
        };
        let cargo = build.programs();
        let flags = cargo
            .get_envs()
            .find(|(name, _)| *name == "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS");
        assert!(flags.is_some_and(|(_, flags)| flags.is_some_and(|flags| flags == "-C target-feature=+crt-static")));
    }
}
