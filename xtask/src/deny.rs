//! `cargo xtask deny`: licences, bans and sources by `deny.toml`, where cargo-deny is installed.
//!
//! It is not installed on the way: building it takes longer than all tests. Entry: [`command`].

use anyhow::bail;

use crate::{install, repo, stage, stage::Stages};

/// Runs cargo-deny without its advisories, which need a download of their own.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("`deny` takes no arguments, but got {arg:?}");
    }
    if install::find("cargo-deny").is_none() {
        stage::skipped(
            "licences, bans and sources",
            "cargo-deny is not installed (cargo install --locked cargo-deny)",
        );
        return Ok(());
    }
    let mut stages = Stages::default();
    stages.command(
        "licences, bans and sources",
        &mut repo::cargo(&["deny", "check", "licenses", "bans", "sources"]),
    );
    stages.finish()
}
