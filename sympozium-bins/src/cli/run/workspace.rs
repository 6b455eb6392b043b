//! `--workspace DIR[:ro]`.

use crate::cli::failure::Failure;
use std::path::{Path, PathBuf};
use sympozium_core::local::LocalWorkspace;

/// The folder that a run works in. It has to be there, and to be writable unless it is only read.
pub(super) fn workspace(flag: Option<&str>) -> Result<LocalWorkspace, Failure> {
    let Some(flag) = flag else {
        return Ok(LocalWorkspace::Private);
    };
    let (path, read_only) = split(flag);
    let dir = path.canonicalize().map_err(|error| {
        Failure::input(format!(
            "The workspace {} can't be used: {error}.",
            path.display()
        ))
    })?;
    if !dir.is_dir() {
        return Err(Failure::input(format!(
            "The workspace {} is not a folder.",
            path.display()
        )));
    }
    if !read_only {
        check_writable(&dir)?;
    }
    Ok(LocalWorkspace::Given { dir, read_only })
}

/// The path, and whether it ends with `:ro`. A folder whose name ends like that wins.
fn split(flag: &str) -> (PathBuf, bool) {
    match flag.strip_suffix(":ro") {
        Some(path) if !Path::new(flag).exists() => (path.into(), true),
        _ => (flag.into(), false),
    }
}

fn check_writable(dir: &Path) -> Result<(), Failure> {
    // Dropping the file removes it.
    tempfile::Builder::new()
        .prefix(".sympozium-")
        .tempfile_in(dir)
        .map(drop)
        .map_err(|error| {
            Failure::input(format!(
                "The workspace {} can't be written to: {error}; add :ro to read it only.",
                dir.display()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_a_folder_that_is_there() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().canonicalize().unwrap();
        let text = dir.to_str().unwrap();
        let given = |read_only| LocalWorkspace::Given {
            dir: dir.clone(),
            read_only,
        };
        assert_eq!(workspace(None), Ok(LocalWorkspace::Private));
        assert_eq!(workspace(Some(text)), Ok(given(false)));
        assert_eq!(workspace(Some(&format!("{text}:ro"))), Ok(given(true)));
        assert_eq!(
            std::fs::read_dir(&dir).unwrap().count(),
            0,
            "the check leaves nothing"
        );
        std::fs::write(dir.join("file"), "x").unwrap();
        for (flag, expected) in [
            (format!("{text}/gone"), "can't be used"),
            (format!("{text}/file:ro"), "is not a folder"),
        ] {
            let message = workspace(Some(&flag)).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
