//! Finds programs, and installs them by apt where that is possible: on Debian and its children, as root.
//!
//! Beside packages it only writes the file that keeps a second PostgreSQL from starting. Entry: [`apt`].

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::{repo, stage};

/// The path of a program in `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Whether this process may change users and install packages.
pub(crate) fn is_root() -> bool {
    repo::stdout_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Installs Debian packages; the error says in a sentence why that was not possible.
pub(crate) fn apt(packages: &[&str]) -> anyhow::Result<()> {
    if find("apt-get").is_none() {
        bail!(
            "{} is missing, and there is no apt-get to install it with",
            packages.join(" ")
        );
    }
    if !is_root() {
        bail!(
            "{0} is missing, and only root can install it: apt-get install {0}",
            packages.join(" ")
        );
    }
    keep_the_default_cluster_away();
    let mut update = Command::new("apt-get");
    let update = stage::capture(
        "apt update",
        update.arg("update").env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let install = stage::capture("apt install", &mut install)?;
    if !install.success {
        let last = install
            .output
            .lines()
            .chain(update.output.lines())
            .rfind(|line| line.starts_with("E:"));
        bail!(
            "apt-get could not install {}: {}",
            packages.join(" "),
            last.unwrap_or("it gave no reason")
        );
    }
    Ok(())
}

/// Debian's package starts a server of its own unless this file says otherwise; the tests bring their own. A file that is
/// already there is somebody's decision and stays.
fn keep_the_default_cluster_away() {
    let dir = Path::new("/etc/postgresql-common");
    let file = dir.join("createcluster.conf");
    if !file.exists() && std::fs::create_dir_all(dir).is_ok() {
        // Without the file there is one idle server more, which harms no test.
        let _ = std::fs::write(file, "create_main_cluster = false\n");
    }
}
