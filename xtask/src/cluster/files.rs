//! Files that others read while they are written: each appears whole or not at all.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a file by writing another one and renaming it.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(value).with_context(|| format!("render {}", path.display()))?;
    let new = path.with_extension("new");
    std::fs::write(&new, text).with_context(|| format!("write {}", new.display()))?;
    std::fs::rename(&new, path).with_context(|| format!("put {} in its place", path.display()))
}

/// Reads a file; nothing where there is none.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let value = serde_json::from_slice(&text).with_context(|| format!("understand {}", path.display()))?;
    Ok(Some(value))
}
