//! What `up` tells the first process of a cluster, by a file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How much of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// etcd, API server and controller manager: objects are stored and admitted, nothing runs.
    ControlPlane,
    /// A real node as well, with network, DNS and enforced policies, and kwok for further nodes.
    Full,
}

/// The order to the first process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) mode: Mode,
    /// The cluster's folder, as seen from outside.
    pub(super) dir: PathBuf,
    /// The folder with the programs that were built.
    pub(super) programs: PathBuf,
    /// The cgroup of the pods, without a leading `/`.
    pub(super) cgroup: String,
    /// Whether standard output is a pipe whose end means the end of the cluster: its owner is gone.
    pub(super) owned: bool,
}
