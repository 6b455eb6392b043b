//! What the first process says about its cluster, in a file that others read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::components::Component;

/// How far the cluster is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "phase", content = "why")]
pub(super) enum Phase {
    /// The step that it waits for.
    Starting(String),
    Ready,
    /// What did not come to pass. The first process ends after it wrote this.
    Failed(String),
}

/// One program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Running {
    /// Its number inside the cluster's namespaces.
    pub(super) pid: i32,
    /// How often it ended by itself and was started again.
    pub(super) restarts: u32,
}

/// Everything that is known from inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) components: BTreeMap<Component, Running>,
}
