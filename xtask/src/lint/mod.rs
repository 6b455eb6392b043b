//! `cargo xtask lint`: what a machine can say about the form of the sources.
//!
//! Entry: [`command`]. The rules for text are pure functions in [`text`].

mod text;

use anyhow::{Context, bail};

use crate::{repo, stage::Stages};

/// Runs every check, also after one has failed.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("`lint` takes no arguments, but got {arg:?}");
    }
    let mut stages = Stages::default();
    stages.command(
        "formatting",
        &mut repo::cargo(&["fmt", "--all", "--check", "--", "--color", "never"]),
    );
    stages.check("text rules", || report(text::forbidden));
    stages.check("file sizes", || report(text::too_long));
    stages.command(
        "clippy, all features",
        &mut repo::cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]),
    );
    let mut bare = repo::cargo(&["clippy", "--lib", "--no-default-features"]);
    for name in repo::PUBLISHED {
        bare.args(["-p", name]);
    }
    stages.command("clippy, no features", bare.args(["--", "-D", "warnings"]));
    let mut doc = repo::cargo(&["doc", "--workspace", "--all-features", "--no-deps"]);
    stages.command("documentation", doc.env("RUSTDOCFLAGS", "-D warnings"));
    stages.finish()
}

/// Applies a rule to every tracked text file, and fails with all that it found.
fn report(rule: fn(&str, &str) -> Vec<text::Finding>) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for path in repo::tracked(&[])? {
        let bytes = std::fs::read(repo::root().join(&path)).with_context(|| format!("read {path}"))?;
        // Anything that is not UTF-8 is an image or a fuzz input, and has no lines.
        let Ok(content) = String::from_utf8(bytes) else {
            continue;
        };
        for finding in rule(&path, &content) {
            let text = format!("{path}:{}: {}", finding.line, finding.what);
            if finding.warning {
                println!("  warning: {text}");
            } else {
                found.push(text);
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!("{}", found.join("\n"))
}
