//! `cargo xtask manifests`: the definitions of the custom resources in `config/crd`, written from the Rust types.
//!
//! The program that writes them belongs to `sympozium-k8s`; this one only says where, and compares. Entry: [`command`].

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{repo, stage, test};

const FOLDER: &str = "config/crd";

/// Writes the folder anew, or with `--check` fails when it is not what would be written.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    match args {
        [] => write(&repo::root().join(FOLDER)),
        [flag] if flag == "--check" => check(),
        _ => bail!("`manifests` takes --check and nothing else"),
    }
}

/// Writes with the example alone: nobody who changes a type should have to wait for all programs.
fn write(folder: &Path) -> anyhow::Result<()> {
    let mut writer = repo::cargo(&[
        "run",
        "--quiet",
        "-p",
        "sympozium-k8s",
        "--all-features",
        "--example",
        "write_crds",
        "--",
    ]);
    finish(writer.arg(folder), folder)
}

/// Writes with the example as the tests build it, so that a build that tests too compiles nothing twice.
fn write_as_tested(folder: &Path) -> anyhow::Result<()> {
    let built = stage::capture("build write_crds", &mut test::build())?;
    if !built.success {
        bail!("the examples do not build: {}", built.output.trim());
    }
    let mut writer = Command::new(repo::target_dir().join("debug/examples/write_crds"));
    finish(writer.arg(folder), folder)
}

fn finish(writer: &mut Command, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let finished = stage::capture("write_crds", writer)?;
    if !finished.success {
        bail!("the definitions were not written: {}", finished.output.trim());
    }
    Ok(())
}

fn check() -> anyhow::Result<()> {
    let fresh = repo::target_dir().join("xtask/crd");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).with_context(|| format!("empty {}", fresh.display()))?;
    }
    write_as_tested(&fresh)?;
    let stale = differences(&contents(&fresh)?, &contents(&repo::root().join(FOLDER))?);
    if stale.is_empty() {
        return Ok(());
    }
    bail!(
        "{FOLDER} is stale ({}); write it with: cargo xtask manifests",
        stale.join(", ")
    )
}

fn contents(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        let bytes =
            std::fs::read(entry.path()).with_context(|| format!("read {}", entry.path().display()))?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
    }
    Ok(files)
}

/// Names of files that are missing, changed or left over.
fn differences(fresh: &BTreeMap<String, Vec<u8>>, stored: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let changed = fresh
        .iter()
        .filter(|(name, bytes)| stored.get(*name) != Some(*bytes))
        .map(|(name, _)| name);
    let left_over = stored.keys().filter(|name| !fresh.contains_key(*name));
    changed.chain(left_over).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn missing_changed_and_left_over_files_are_stale() {
        let fresh = files(&[("same", "1"), ("changed", "2"), ("missing", "3")]);
        let stored = files(&[("same", "1"), ("changed", "0"), ("left-over", "4")]);
        assert_eq!(differences(&fresh, &stored), ["changed", "missing", "left-over"]);
    }
}
