//! A whole image as one file: an OCI layout in a tar, which `ctr images import`, `skopeo` and `docker load` read.
//!
//! Pure: the same image gives the same bytes. Entry: [`archive`].

use anyhow::Context;
use serde::Serialize;

use super::blob::Blob;
use super::document::{
    Config, Descriptor, DockerRow, FULL_NAME, Index, MANIFEST, Manifest, OCI_LAYOUT, Process, REF_NAME,
};
use super::layer::{self, tar_of_files};
use super::name::Name;
use super::tree::Tree;

/// All that makes an image.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) name: Name,
    /// As OCI calls it: `amd64`, `arm64`.
    pub(super) architecture: &'static str,
    pub(super) process: Process,
    pub(super) tree: Tree,
}

/// An image as a file, and how large it is otherwise.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) bytes: Vec<u8>,
    /// Bytes of its files.
    pub(super) unpacked: u64,
    /// Bytes of the compressed layer, which is what a node pulls.
    pub(super) packed: u64,
    /// The manifest's digest, by which a registry knows the image.
    pub(super) digest: String,
}

/// Packs an image.
pub(super) fn archive(image: &Image) -> anyhow::Result<Archive> {
    let layer = layer::layer(&image.tree)?;
    let config = json(&Config::new(image.architecture, &image.process, &layer.diff_id))?;
    let manifest = json(&Manifest::new(&config, &layer.packed))?;
    let full_name = image.name.to_string();
    let names = [(FULL_NAME, full_name.as_str()), (REF_NAME, image.name.tag())];
    let index = json(&Index::new(
        Descriptor::new(MANIFEST, &manifest).annotated(&names),
    ))?;
    let docker = json(&[DockerRow {
        config: config.path(),
        repo_tags: [full_name.clone()],
        layers: [layer.packed.path()],
    }])?;
    let mut files = [&config, &manifest, &layer.packed].map(|blob| (blob.path(), blob.content()));
    files.sort();
    let mut files = files.to_vec();
    files.push(("index.json".to_owned(), index.content()));
    files.push(("manifest.json".to_owned(), docker.content()));
    files.push(("oci-layout".to_owned(), OCI_LAYOUT));
    Ok(Archive {
        bytes: tar_of_files(&files).context("pack an image")?,
        unpacked: image.tree.size(),
        packed: layer.packed.content().len() as u64,
        digest: manifest.digest().to_owned(),
    })
}

fn json(document: &impl Serialize) -> anyhow::Result<Blob> {
    Ok(Blob::new(serde_json::to_vec(document).context("write JSON")?))
}
