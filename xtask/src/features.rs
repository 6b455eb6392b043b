//! `cargo xtask features`: each feature of each crate builds without the others, and so do none and all of them.
//!
//! Entry: [`command`].

use std::process::Command;

use anyhow::bail;

use crate::{deps, repo, stage::Stages};

/// The crates, and the kinds of targets that are compiled for each.
const CRATES: &[(&str, &[&str])] = &[
    ("sympozium-core", &["--lib"]),
    ("sympozium-llm", &["--lib"]),
    ("sympozium-k8s", &["--lib"]),
    ("sympozium-bins", &["--lib", "--bins"]),
];

/// Checks every set of features that the rule names.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("`features` takes no arguments, but got {arg:?}");
    }
    let mut stages = Stages::default();
    for (package, targets) in CRATES {
        stages.command(
            &format!("{package}, none"),
            &mut check(package, targets, &["--no-default-features"]),
        );
        for feature in deps::features_of(package)? {
            let arguments = ["--no-default-features", "--features", feature.as_str()];
            stages.command(
                &format!("{package}, {feature}"),
                &mut check(package, targets, &arguments),
            );
        }
        stages.command(
            &format!("{package}, all"),
            &mut check(package, targets, &["--all-features"]),
        );
    }
    stages.finish()
}

fn check(package: &str, targets: &[&str], features: &[&str]) -> Command {
    let mut command = repo::cargo(&["check", "-p", package]);
    command.args(targets).args(features);
    command
}
