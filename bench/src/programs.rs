//! Where the programs under test are, and what kind of files they are.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// A folder with programs.
#[derive(Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those of a folder, or those beside this program.
    pub(crate) fn find(folder: Option<&Path>) -> anyhow::Result<Self> {
        let folder = if let Some(folder) = folder {
            std::path::absolute(folder).context("find the folder of programs")?
        } else {
            let own = std::env::current_exe().context("find this program")?;
            own.parent().context("this program is in no folder")?.to_owned()
        };
        Ok(Self { folder })
    }

    /// The agent.
    pub(crate) fn runner(&self) -> anyhow::Result<PathBuf> {
        self.named("sympozium-runner")
    }

    /// The executor of commands.
    pub(crate) fn toolbox(&self) -> anyhow::Result<PathBuf> {
        self.named("sympozium-toolbox")
    }

    /// The launcher of sandboxes.
    pub(crate) fn sandbox(&self) -> anyhow::Result<PathBuf> {
        self.named("sympozium-sandbox")
    }

    /// The bridge of a pod.
    pub(crate) fn bridge(&self) -> anyhow::Result<PathBuf> {
        self.named("sympozium-ipc-bridge")
    }

    fn named(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        if !path.is_file() {
            bail!("the program {name} is not built; `cargo xtask bench` builds it");
        }
        Ok(path)
    }
}

/// Whether a program needs a loader at its start: `static` or `dynamic`.
pub(crate) fn linkage(program: &Path) -> anyhow::Result<&'static str> {
    let bytes = std::fs::read(program).with_context(|| format!("read {}", program.display()))?;
    let interpreter = ["/ld-linux", "/ld-musl", "/ld64"];
    // The loader's path is in one of the first pages, where the kernel finds it quickly too.
    let start = bytes.get(..bytes.len().min(16 << 10)).unwrap_or_default();
    let has = |needle: &str| {
        start
            .windows(needle.len())
            .any(|piece| piece == needle.as_bytes())
    };
    Ok(if interpreter.iter().any(|needle| has(needle)) {
        "dynamic"
    } else {
        "static"
    })
}
