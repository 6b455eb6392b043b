//! The server of the bundled event bus, built from its Go module, and nothing else.

use anyhow::Context;

use super::super::tree::Tree;
use super::Filled;
use crate::test;

const PROGRAM: &str = "/nats-server";
const LICENSE: &str = "Apache-2.0";

/// Builds.
pub(in super::super) fn obtain() -> anyhow::Result<()> {
    test::nats_server().map(drop)
}

/// The server that the tests of the bus use too.
pub(in super::super) fn fill() -> anyhow::Result<Filled> {
    let file = test::nats_server()?;
    let content = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    let mut tree = Tree::default();
    tree.program(PROGRAM, content);
    Ok(Filled::program(PROGRAM, tree, LICENSE))
}
