//! `cargo xtask package`: the published crates can be packaged, and build from what was packaged.
//!
//! Entry: [`command`].

use anyhow::bail;

use crate::{repo, stage::Stages};

/// Packages and verifies all published crates at once, so that each finds its sibling without a registry.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    let allow_dirty = match args {
        [] => false,
        [flag] if flag == "--allow-dirty" => true,
        _ => bail!("`package` takes --allow-dirty and nothing else"),
    };
    let mut package = repo::cargo(&["package", "--locked"]);
    for name in repo::PUBLISHED {
        package.args(["-p", name]);
    }
    if allow_dirty {
        package.arg("--allow-dirty");
    }
    let mut stages = Stages::default();
    stages.command("package and verify the published crates", &mut package);
    stages.finish()
}
