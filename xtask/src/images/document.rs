//! The JSON of an image, by the OCI image specification 1.1: configuration, manifest, index.
//!
//! Written as structs of our own: those of the crate `oci-spec` keep labels and annotations in hash maps, whose order is
//! another one in each process, and an image has to be the same bytes each time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::blob::Blob;

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The tag, in an index.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The whole name, in an index: containerd's own annotation, which Docker writes and reads too.
pub(super) const FULL_NAME: &str = "io.containerd.image.name";

/// The content of the file `oci-layout`.
pub(super) const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The time of everything in an image.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// How a container of the image starts, and what the image says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Process {
    pub(super) user: String,
    pub(super) env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cmd: Vec<String>,
    pub(super) working_dir: String,
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Config<'a> {
    created: &'static str,
    architecture: &'a str,
    os: &'static str,
    #[serde(rename = "config")]
    process: &'a Process,
    rootfs: RootFs<'a>,
    history: [History; 1],
}

#[derive(Debug, Serialize)]
struct RootFs<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: [&'a str; 1],
}

#[derive(Debug, Serialize)]
struct History {
    created: &'static str,
    created_by: &'static str,
}

impl<'a> Config<'a> {
    /// Of an image with one layer.
    pub(super) fn new(architecture: &'a str, process: &'a Process, diff_id: &'a str) -> Self {
        Self {
            created: CREATED,
            architecture,
            os: "linux",
            process,
            rootfs: RootFs {
                kind: "layers",
                diff_ids: [diff_id],
            },
            history: [History {
                created: CREATED,
                created_by: "cargo xtask images",
            }],
        }
    }
}

/// A blob, as another one refers to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor<'a> {
    media_type: &'static str,
    digest: &'a str,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, &'a str>,
}

impl<'a> Descriptor<'a> {
    pub(super) fn new(media_type: &'static str, blob: &'a Blob) -> Self {
        Self {
            media_type,
            digest: blob.digest(),
            size: blob.content().len(),
            annotations: BTreeMap::new(),
        }
    }

    pub(super) fn annotated(mut self, annotations: &[(&'static str, &'a str)]) -> Self {
        self.annotations.extend(annotations.iter().copied());
        self
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest<'a> {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
}

impl<'a> Manifest<'a> {
    pub(super) fn new(config: &'a Blob, layer: &'a Blob) -> Self {
        Self {
            schema_version: 2,
            media_type: MANIFEST,
            config: Descriptor::new(CONFIG, config),
            layers: [Descriptor::new(LAYER, layer)],
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: [Descriptor<'a>; 1],
}

impl<'a> Index<'a> {
    pub(super) fn new(manifest: Descriptor<'a>) -> Self {
        Self {
            schema_version: 2,
            media_type: INDEX,
            manifests: [manifest],
        }
    }
}

/// A row of `manifest.json`, by which every Docker finds the image, also those that read no OCI layout.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerRow {
    pub(super) config: String,
    pub(super) repo_tags: [String; 1],
    pub(super) layers: [String; 1],
}
