//! One layer: a tree as a compressed tar, the same bytes for the same tree on every machine and at any time.
//!
//! Everything belongs to root, whoever built it, so that the user of the image can change nothing; all times are 0.

use std::io::{self, Write};

use anyhow::Context;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::blob::Blob;
use super::tree::{Node, READABLE, Tree};

/// The value of the gzip header's field for the system that wrote it: unknown.
const NO_SYSTEM: u8 = 255;

/// A layer, and what names it.
#[derive(Debug)]
pub(super) struct Layer {
    /// As it is stored and sent.
    pub(super) packed: Blob,
    /// The digest of the tar in it.
    pub(super) diff_id: String,
}

/// Packs a tree.
pub(super) fn layer(tree: &Tree) -> anyhow::Result<Layer> {
    let tar = tar_of(tree).context("pack the files of a layer")?;
    let packed = compress(&tar).context("compress a layer")?;
    Ok(Layer {
        packed: Blob::new(packed),
        diff_id: Blob::new(tar).digest().to_owned(),
    })
}

fn compress(tar: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(NO_SYSTEM)
        .write(Vec::new(), Compression::best());
    gzip.write_all(tar)?;
    gzip.finish()
}

fn tar_of(tree: &Tree) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for (path, node) in tree.iter() {
        match node {
            Node::Folder { mode } => {
                let mut header = header(EntryType::Directory, *mode, 0);
                builder.append_data(&mut header, format!("{path}/"), io::empty())?;
            }
            Node::File { mode, content } => {
                let mut header = header(EntryType::Regular, *mode, content.len());
                builder.append_data(&mut header, path, content.as_slice())?;
            }
            Node::Link { target } => {
                let mut header = header(EntryType::Symlink, 0o777, 0);
                builder.append_link(&mut header, path, target)?;
            }
        }
    }
    builder.into_inner()
}

/// A file of root's from the beginning of time.
pub(super) fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// A tar of files alone, as archives of images are.
pub(super) fn tar_of_files(files: &[(String, &[u8])]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = header(EntryType::Regular, READABLE, content.len());
        builder.append_data(&mut header, path, *content)?;
    }
    builder.into_inner()
}
