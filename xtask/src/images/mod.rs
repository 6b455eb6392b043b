//! `cargo xtask images`: the images of an installation, each a file that any container runtime reads. See `docs/images.md`.
//!
//! No Docker is needed: an image is a tar of files, and a little JSON. Deciding what is in one, and packing it, is pure, so
//! that the same input gives the same bytes; only compiling and reading the results touches the machine. Entry: [`command`].

mod archive;
mod args;
mod blob;
mod content;
mod debian;
mod document;
mod labels;
mod layer;
mod list;
mod make;
mod name;
mod report;
mod tree;

#[cfg(test)]
mod archive_tests;

use std::path::PathBuf;

use crate::repo;

/// Makes what the words ask for, and says how large it is.
pub(crate) fn command(words: &[String]) -> anyhow::Result<()> {
    let request = args::parse(words)?;
    let made = make::make(&request)?;
    print!("{}", report::table(&made));
    Ok(())
}

/// What each image needs of this machine: installed and fetched where that is possible, else a sentence.
pub(crate) fn possible() -> Vec<(&'static str, anyhow::Result<()>)> {
    let ask = |recipe: &list::Recipe| (recipe.name, make::obtain(recipe.content));
    list::RECIPES.iter().map(ask).collect()
}

/// Makes images as the pods of `test/cluster/images` name them, with programs that compile quickly: names and files.
pub(crate) fn make_for_tests(names: &[&'static str]) -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let out = repo::target_dir().join("images-for-tests");
    let out = out.to_string_lossy();
    let words = ["--profile", "dev", "--tag", "test", "--out", &*out];
    let words: Vec<String> = names
        .iter()
        .copied()
        .chain(words)
        .map(ToOwned::to_owned)
        .collect();
    let made = make::make(&args::parse(&words)?)?;
    Ok(names
        .iter()
        .copied()
        .zip(made.into_iter().map(|made| made.file))
        .collect())
}
