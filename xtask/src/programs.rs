//! How the programs that are shipped are built: without a loader, in one call of cargo for all that are asked for.
//!
//! The bench measures the same files that images hold. Entry: [`Build::command`].

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{install, repo, stage};

/// The profile of programs as they are shipped.
pub(crate) const SHIPPED: &str = "dist";

/// One call of cargo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// For which system, as rustc names it.
    pub(crate) target: String,
    pub(crate) profile: String,
    /// The features of `sympozium-bins`, separated by commas.
    pub(crate) features: String,
    /// The names of the programs; empty: all that these features allow.
    pub(crate) bins: Vec<String>,
}

impl Build {
    /// With a named target, the flags are for what is built alone, and not for what builds it.
    pub(crate) fn command(&self) -> anyhow::Result<Command> {
        let mut cargo = repo::cargo(&["build", "--profile", &self.profile, "--target", &self.target]);
        cargo.args(["-p", "sympozium-bins", "--no-default-features", "--features"]);
        cargo.arg(&self.features);
        if self.bins.is_empty() {
            cargo.arg("--bins");
        }
        for bin in &self.bins {
            cargo.args(["--bin", bin]);
        }
        if self.profile == "dev" {
            // Nobody looks into a container with a debugger, and without it this compiles in less time.
            cargo.args([
                "--config",
                "profile.dev.debug=false",
                "--config",
                "profile.dev.strip=true",
            ]);
        }
        let variable = self.target.to_uppercase().replace('-', "_");
        cargo.env(
            format!("CARGO_TARGET_{variable}_RUSTFLAGS"),
            flags(&cargo_home()?),
        );
        Ok(cargo)
    }

    /// Where the programs are afterwards.
    pub(crate) fn folder(&self) -> PathBuf {
        // Cargo's name for the folder of its profile `dev`.
        let profile = if self.profile == "dev" {
            "debug"
        } else {
            &self.profile
        };
        repo::target_dir().join(&self.target).join(profile)
    }
}

/// Messages of panics name the files of dependencies; the same bytes on every machine need the same names.
fn flags(cargo_home: &str) -> String {
    format!("-C target-feature=+crt-static --remap-path-prefix={cargo_home}=/cargo")
}

fn cargo_home() -> anyhow::Result<String> {
    let home = std::env::var("CARGO_HOME").ok().filter(|home| !home.is_empty());
    home.or_else(|| std::env::var("HOME").ok().map(|home| format!("{home}/.cargo")))
        .context("neither CARGO_HOME nor HOME is set")
}

/// For which system this machine compiles when it is told nothing.
pub(crate) fn host() -> anyhow::Result<String> {
    let version = repo::stdout_of(Command::new("rustc").arg("-vV").current_dir(repo::root()))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(ToOwned::to_owned)
        .context("rustc does not say for what it compiles")
}

/// The same system with a C library that can be linked in.
pub(crate) fn musl(host: &str) -> String {
    host.replace("-gnu", "-musl")
}

/// Whether Rust's own library for that system is there.
pub(crate) fn is_installed(target: &str) -> anyhow::Result<bool> {
    let mut rustc = Command::new("rustc");
    let root = repo::stdout_of(rustc.args(["--print", "sysroot"]).current_dir(repo::root()))?;
    Ok(PathBuf::from(root.trim())
        .join("lib/rustlib")
        .join(target)
        .is_dir())
}

/// The target for musl, with all that it takes: installed where that is possible, else asked for in a sentence.
pub(crate) fn musl_target() -> anyhow::Result<String> {
    let host = host()?;
    if !host.contains("-linux-") {
        bail!("images hold programs for Linux, and this machine compiles for {host}");
    }
    let target = musl(&host);
    if install::find("musl-gcc").is_none() {
        install::apt(&["musl-tools"])?;
    }
    if is_installed(&target)? {
        return Ok(target);
    }
    let wanted = format!("Rust's library for {target} is missing: rustup target add {target}");
    if install::find("rustup").is_none() {
        bail!("{wanted}");
    }
    let mut rustup = Command::new("rustup");
    let added = stage::capture(
        "rustup target add",
        rustup.args(["target", "add", &target]).current_dir(repo::root()),
    )?;
    if !added.success {
        bail!(
            "{wanted} ({})",
            added.output.lines().last().unwrap_or("no reason given")
        );
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(profile: &str, bins: &[&str]) -> Build {
        Build {
            target: "x86_64-unknown-linux-musl".to_owned(),
            profile: profile.to_owned(),
            features: "a,b".to_owned(),
            bins: bins.iter().map(|bin| (*bin).to_owned()).collect(),
        }
    }

    fn words(build: &Build) -> String {
        let command = build.command().unwrap();
        let words: Vec<&str> = command.get_args().filter_map(|word| word.to_str()).collect();
        words.join(" ")
    }

    #[test]
    fn programs_are_linked_without_a_loader_and_name_no_path_of_this_machine() {
        let command = build("dist", &[]).command().unwrap();
        let name = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS";
        let flags = command
            .get_envs()
            .find_map(|(found, value)| (found == name).then_some(value).flatten())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        assert!(flags.contains("target-feature=+crt-static"), "{flags}");
        assert!(
            flags.contains("--remap-path-prefix=") && flags.ends_with("=/cargo"),
            "{flags}"
        );
    }

    #[test]
    fn one_call_builds_the_named_programs_or_all() {
        let common =
            "--target x86_64-unknown-linux-musl -p sympozium-bins --no-default-features --features a,b";
        for (bins, end) in [(vec![], "--bins"), (vec!["x", "y"], "--bin x --bin y")] {
            assert_eq!(
                words(&build("dist", &bins)),
                format!("build --profile dist {common} {end}")
            );
        }
    }

    #[test]
    fn programs_are_where_cargo_puts_them() {
        for (profile, folder) in [("dev", "debug"), ("release", "release"), ("dist", "dist")] {
            let found = build(profile, &[]).folder();
            assert!(
                found.ends_with(format!("x86_64-unknown-linux-musl/{folder}")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn the_shipped_profile_exists() {
        let manifest = std::fs::read_to_string(repo::root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("[profile.{SHIPPED}]")));
    }

    #[test]
    fn musl_takes_the_place_of_the_other_c_library() {
        assert_eq!(musl("x86_64-unknown-linux-gnu"), "x86_64-unknown-linux-musl");
        assert_eq!(musl("aarch64-unknown-linux-musl"), "aarch64-unknown-linux-musl");
    }
}
