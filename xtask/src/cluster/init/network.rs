//! The network of a cluster: a loopback and a bridge that carries the node's address, and no link to anywhere.
//!
//! Nothing can leave the machine because nothing leads out of the namespace: pods are joined to the node by pairs of
//! virtual links that the CNI plug-in makes, and there is no default route.

use std::process::Command;

use anyhow::Context;

use crate::repo;

use super::super::layout::{NODE_ADDRESS, NODE_LINK};

/// Sets up the links.
pub(super) fn arrange() -> anyhow::Result<()> {
    let address = format!("{NODE_ADDRESS}/32");
    for words in [
        ["link", "set", "lo", "up"].as_slice(),
        // A bridge and not a "dummy", which not every kernel has.
        &["link", "add", NODE_LINK, "type", "bridge"],
        &["address", "add", &address, "dev", NODE_LINK],
        &["link", "set", NODE_LINK, "up"],
    ] {
        repo::stdout_of(Command::new("ip").args(words))?;
    }
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("let the node forward between pods")
}
