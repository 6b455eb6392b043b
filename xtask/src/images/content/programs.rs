//! Programs of ours, and nothing else.

use std::path::Path;

use anyhow::Context;

use super::super::list::Program;
use super::super::tree::Tree;
use super::{Filled, OURS};

/// Reads programs from the folder that cargo put them into. The first one is started.
pub(in super::super) fn fill(programs: &[Program], folder: &Path) -> anyhow::Result<Filled> {
    let mut tree = Tree::default();
    for program in programs {
        let file = folder.join(program.bin);
        let content = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        tree.program(program.path, content);
    }
    let first = programs.first().context("an image without a program")?;
    Ok(Filled::program(first.path, tree, OURS))
}
