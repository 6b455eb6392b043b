//! `cargo xtask images`: the images of an installation, each a file that any container runtime reads. See `docs/images.md`.
//!
//! No Docker is needed: an image is a tar of files, and a little JSON. Deciding what is in one, and packing it, is pure, so
//! that the same input gives the same bytes; only compiling and reading the results touches the machine. Entry: [`command`].

mod archive;
mod args;
mod blob;
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

/// Makes what the words ask for, and says how large it is.
pub(crate) fn command(words: &[String]) -> anyhow::Result<()> {
    let request = args::parse(words)?;
    let made = make::make(&request)?;
    print!("{}", report::table(&made));
    Ok(())
}
