//! Where things are: the repository, its tracked files, the folders for build output and for downloads.
//!
//! Only looks; changes nothing. Entry: [`root`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, bail};

/// The published crates, in the order of their dependencies.
pub(crate) const PUBLISHED: &[&str] = &["sympozium-core", "sympozium-llm", "sympozium-k8s"];

/// The root of the clone. Cargo says it at run time: clones that share a target folder share this program too, and what
/// was true when it was compiled may be another clone.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let here = std::env::var_os("CARGO_MANIFEST_DIR");
        let here = here.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        here.parent().map_or(here.clone(), Path::to_path_buf)
    });
    &ROOT
}

/// A cargo that runs at the root: the one that started this program, else the one in `PATH`.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Downloads that survive a clone: `$XDG_CACHE_HOME/sympozium`, else `~/.cache/sympozium`.
pub(crate) fn cache_dir() -> anyhow::Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    let dir = base.join("sympozium");
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

/// Paths, relative to the root, of the tracked files that are in the tree and end with one of these (all when empty).
pub(crate) fn tracked(endings: &[&str]) -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .context("run git ls-files")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let names = String::from_utf8(output.stdout).context("a tracked file has a name that is not UTF-8")?;
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty() && root().join(name).is_file())
        .filter(|name| endings.is_empty() || endings.iter().any(|ending| name.ends_with(ending)))
        .map(ToOwned::to_owned)
        .collect())
}

/// What a command prints on its standard output.
pub(crate) fn stdout_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("{command:?} printed something that is not UTF-8"))
}
