//! A `nats-server` for the tests, built once from the Go module `test/servers/nats` and kept in the cache folder.
//!
//! Debian's package is older than the bus needs. Entry: [`program`].

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{install, repo, stage};

/// The module, in the clone.
const MODULE: &str = "test/servers/nats";
/// What is built, as the module's `tool` line names it.
const PACKAGE: &str = "github.com/nats-io/nats-server/v2";
/// The oldest Go that reads the module's files.
const GO: (u32, u32) = (1, 26);

/// The path of the server; builds it when it is not there, which needs Go.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    let module = repo::root().join(MODULE);
    let dir = repo::cache_dir()?.join(format!("nats-server-{}", key(&module)?));
    let program = dir.join("nats-server");
    if program.is_file() {
        return Ok(program);
    }
    check_go()?;
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    // Another test run may build the same: each builds its own file, and the rename is the last step.
    let unfinished = dir.join(format!("unfinished-{}", std::process::id()));
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(&unfinished)
        .arg(PACKAGE)
        .current_dir(&module)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local");
    let built = stage::capture("build nats-server", &mut go)?;
    if !built.success {
        // What is left of it is of no use to anybody.
        let _ = std::fs::remove_file(&unfinished);
        bail!(
            "go could not build nats-server: {}",
            built.output.lines().last().unwrap_or("it gave no reason")
        );
    }
    std::fs::rename(&unfinished, &program).with_context(|| format!("keep {}", program.display()))?;
    Ok(program)
}

/// Names the sources by their content: another version is another folder.
fn key(module: &Path) -> anyhow::Result<String> {
    let mut hash = Command::new("git");
    hash.arg("hash-object")
        .args(["go.mod", "go.sum"].map(|file| module.join(file)));
    let hashes = repo::stdout_of(&mut hash)?;
    let short = hashes
        .lines()
        .map(|line| line.chars().take(12).collect::<String>());
    Ok(short.collect::<Vec<_>>().join("-"))
}

fn check_go() -> anyhow::Result<()> {
    if install::find("go").is_none() {
        bail!(
            "nats-server is built with Go {}.{} or later, and there is no `go` in PATH",
            GO.0,
            GO.1
        );
    }
    let mut version = Command::new("go");
    let found = repo::stdout_of(version.args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local"))?;
    let new_enough = version_of(&found).is_some_and(|version| version >= GO);
    if !new_enough {
        bail!(
            "nats-server is built with Go {}.{} or later, and this is {}",
            GO.0,
            GO.1,
            found.trim()
        );
    }
    Ok(())
}

/// The first two numbers of `go1.26.8`.
fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("go")?.split(['.', '-', 'r', 'b', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_version_is_read() {
        for (text, wanted) in [
            ("go1.26.8\n", Some((1, 26))),
            ("go1.27rc1", Some((1, 27))),
            ("go1.9", Some((1, 9))),
            ("devel", None),
            ("", None),
        ] {
            assert_eq!(version_of(text), wanted, "{text}");
        }
    }

    #[test]
    fn the_key_follows_from_the_files_alone() {
        let key = key(&repo::root().join(MODULE)).unwrap();
        assert_eq!(key.len(), 25, "{key}");
    }
}
