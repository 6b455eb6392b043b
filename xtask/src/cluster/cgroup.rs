//! The cgroup of a cluster's pods. The kubelet wants to find it, and nobody but `down` removes it.
//!
//! Both forms of the system are served: one tree for each controller (v1), or one tree for all (v2).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup can be removed a moment after its last process has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// The trees of this machine.
fn trees(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if root.join("cgroup.controllers").exists() {
        return Ok(vec![root.to_path_buf()]);
    }
    let mut trees = Vec::new();
    for entry in std::fs::read_dir(root).with_context(|| format!("list {}", root.display()))? {
        let path = entry.with_context(|| format!("list {}", root.display()))?.path();
        // Links are second names ("cpu" for "cpu,cpuacct"); a folder without this file is no cgroup.
        if !path.is_symlink() && path.join("cgroup.procs").exists() {
            trees.push(path);
        }
    }
    Ok(trees)
}

/// Makes the cgroup in every tree, with all controllers for what comes below it.
pub(super) fn create(name: &str) -> anyhow::Result<()> {
    let root = Path::new(ROOT);
    for tree in trees(root)? {
        let dir = tree.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        if tree == root {
            delegate(&tree)?;
            delegate(&dir)?;
        }
        for file in ["cpuset.cpus", "cpuset.mems"] {
            // In v1 a new cpuset is empty, and nothing can run in it.
            if let Ok(value) = std::fs::read(tree.join(file)) {
                std::fs::write(dir.join(file), value).with_context(|| format!("set {file}"))?;
            }
        }
    }
    Ok(())
}

fn delegate(dir: &Path) -> anyhow::Result<()> {
    let controllers =
        std::fs::read_to_string(dir.join("cgroup.controllers")).context("read the controllers")?;
    for controller in controllers.split_whitespace() {
        // One that cannot be passed on is one that no pod gets; the kubelet says so if it matters.
        let _ = std::fs::write(dir.join("cgroup.subtree_control"), format!("+{controller}"));
    }
    Ok(())
}

/// Where the cgroup is, or would be.
pub(super) fn folders(name: &str) -> anyhow::Result<Vec<PathBuf>> {
    Ok(trees(Path::new(ROOT))?
        .into_iter()
        .map(|tree| tree.join(name))
        .collect())
}

/// Removes the cgroup and all below it from every tree.
pub(super) fn remove(name: &str) -> anyhow::Result<()> {
    let start = Instant::now();
    for dir in folders(name)? {
        while dir.exists() {
            remove_below(&dir);
            if dir.exists() {
                if start.elapsed() > PATIENCE {
                    bail!("{} cannot be removed: processes are left in it", dir.display());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    Ok(())
}

/// Removes what can be removed, the deepest first. The files in it are the kernel's and go with their folder.
fn remove_below(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_below(&entry.path());
        }
    }
    let _ = std::fs::remove_dir(dir);
}
