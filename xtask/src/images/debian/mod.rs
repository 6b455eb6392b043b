//! Files of Debian packages, with all that they need, taken apart without installing anything.
//!
//! No script of a package runs: what those would do and an image needs, [`base`] does. Entry: [`tree`].

mod apt;
mod base;
mod unpack;

use anyhow::Context;

use super::tree::Tree;

/// Fetches these packages, and those that they depend on.
pub(super) fn obtain(packages: &[&str]) -> anyhow::Result<()> {
    apt::closure(packages, &[]).map(drop)
}

/// The files of these packages and of those that they depend on, but for the ones that are named to be left out.
pub(super) fn tree(packages: &[&str], without: &[&str]) -> anyhow::Result<Tree> {
    let mut tree = base::folders();
    for file in apt::closure(packages, without)? {
        let tar = apt::content(&file)?;
        unpack::unpack(&tar, &mut tree).with_context(|| format!("unpack {}", file.display()))?;
    }
    base::finish(&mut tree);
    Ok(tree)
}
