//! The tools of the skill `k8s-ops`, and of sandboxes that name no image: kubectl, a shell, and what scripts expect.

use anyhow::Context;

use super::super::debian;
use super::{Filled, USER};
use crate::cluster;

const PACKAGES: &[&str] = &[
    "bash",
    "ca-certificates",
    "coreutils",
    "curl",
    "findutils",
    "grep",
    "jq",
    "mawk",
    "sed",
];

/// Builds and fetches.
pub(in super::super) fn obtain() -> anyhow::Result<()> {
    cluster::kubectl()?;
    debian::obtain(PACKAGES)
}

/// Debian's packages, and the kubectl of the test cluster's version.
pub(in super::super) fn fill() -> anyhow::Result<Filled> {
    let file = cluster::kubectl()?;
    let kubectl = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    let mut tree = debian::tree(PACKAGES, &[])?;
    tree.program("usr/bin/kubectl", kubectl);
    // Names that Debian gives by scripts.
    tree.link("usr/bin/sh", "bash");
    tree.link("usr/bin/awk", "mawk");
    Ok(Filled {
        tree,
        user: USER,
        // The root folder is read-only in pods: kubectl keeps its cache in the one that is not.
        env: vec!["PATH=/usr/bin".to_owned(), "HOME=/tmp".to_owned()],
        entrypoint: Vec::new(),
        cmd: vec!["/usr/bin/bash".to_owned()],
        licenses: None,
    })
}
