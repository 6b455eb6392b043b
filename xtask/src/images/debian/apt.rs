//! Asks apt which packages belong together, and has it fetch them.
//!
//! Apt is told that nothing is installed, so that its answer depends on the archive alone and not on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{install, repo, stage};

/// Needed by the scripts of packages, which do not run here, and by nothing in them.
const FOR_SCRIPTS: &[&str] = &[
    "adduser",
    "debconf",
    "dpkg",
    "openssl",
    "sensible-utils",
    "tar",
    "ucf",
];

/// Where files of packages are kept, below the cache.
const ARCHIVES: &str = "archives";
/// A folder that stays empty: apt does not list the files that it has.
const NO_ARCHIVES: &str = "no-archives";
/// A list of installed packages that stays empty.
const NO_PACKAGES: &str = "nothing-is-installed";

/// The files of packages, in the order in which apt would install them; fetched when they are not in the cache.
pub(super) fn closure(packages: &[&str], without: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    for program in ["apt-get", "dpkg-deb"] {
        if install::find(program).is_none() {
            bail!("this image is made of Debian packages, and there is no {program} to get them with");
        }
    }
    let dir = folder()?;
    let list = ask(&dir, packages)?;
    let files = files(&list);
    if files.len() < packages.len() {
        bail!(
            "apt-get lists fewer packages than it was asked for: {}",
            packages.join(" ")
        );
    }
    let mut fetch = apt(&dir, ARCHIVES);
    let fetched = stage::capture(
        "fetch Debian packages",
        fetch.args(["--download-only", "install"]).args(packages),
    )?;
    if !fetched.success {
        bail!(
            "apt-get could not fetch {}: {}",
            packages.join(" "),
            reason(&fetched.output)
        );
    }
    let wanted = |file: &&str| {
        let package = package_of(file);
        !FOR_SCRIPTS.contains(&package) && !without.contains(&package)
    };
    Ok(files
        .into_iter()
        .filter(wanted)
        .map(|file| dir.join(ARCHIVES).join(file))
        .collect())
}

/// The cache, with all that apt wants to find in it.
fn folder() -> anyhow::Result<PathBuf> {
    let dir = repo::cache_dir()?.join("debian");
    for archives in [ARCHIVES, NO_ARCHIVES] {
        let partial = dir.join(archives).join("partial");
        std::fs::create_dir_all(&partial).with_context(|| format!("create {}", partial.display()))?;
    }
    let status = dir.join(NO_PACKAGES);
    std::fs::write(&status, "").with_context(|| format!("write {}", status.display()))?;
    Ok(dir)
}

/// What apt would fetch. It is asked once more after an update, since a list may be older than its archive.
fn ask(dir: &Path, packages: &[&str]) -> anyhow::Result<String> {
    let simulate = || {
        let mut ask = apt(dir, NO_ARCHIVES);
        stage::capture(
            "list Debian packages",
            ask.args(["--print-uris", "install"]).args(packages),
        )
    };
    let first = simulate()?;
    if first.success {
        return Ok(first.output);
    }
    stage::capture("apt update", Command::new("apt-get").arg("update"))?;
    let second = simulate()?;
    if !second.success {
        bail!(
            "apt-get does not know how to install {}: {}",
            packages.join(" "),
            reason(&second.output)
        );
    }
    Ok(second.output)
}

/// An apt that sees an empty machine, and writes into the cache alone: packages into one of its folders.
fn apt(dir: &Path, archives: &str) -> Command {
    let mut command = Command::new("apt-get");
    let option = |name: &str, path: PathBuf| format!("{name}={}", path.display());
    command
        .args(["--yes", "--no-install-recommends"])
        .args(["-o", &option("Dir::State::status", dir.join(NO_PACKAGES))])
        // The slash at its end tells apt that it is a folder.
        .args([
            "-o",
            &format!("{}/", option("Dir::Cache::archives", dir.join(archives))),
        ])
        // The locks are those of the machine's own packages, which are not touched.
        .args(["-o", "Debug::NoLocking=1"])
        // The cache may be in a folder that the user of apt's downloads cannot enter.
        .args(["-o", "APT::Sandbox::User=root"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C");
    command
}

fn reason(output: &str) -> &str {
    let line = output.lines().rfind(|line| line.starts_with("E:"));
    line.unwrap_or("it gave no reason")
}

/// The names of files in what `--print-uris` says: `'address' name size hash`.
fn files(list: &str) -> Vec<&str> {
    list.lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter(|name| !name.contains('/'))
        .collect()
}

/// `curl` for `curl_7.88.1-10_amd64.deb`.
fn package_of(file: &str) -> &str {
    file.split('_').next().unwrap_or(file)
}

/// The files of a package, as a tar.
pub(super) fn content(package: &Path) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new("dpkg-deb");
    let output = command
        .arg("--fsys-tarfile")
        .arg(package)
        .output()
        .context("start dpkg-deb")?;
    if !output.status.success() {
        bail!(
            "{} is no package: {}",
            package.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_packages_are_read_from_what_apt_says() {
        let list = "Reading package lists...\nNeed to get 3 kB of archives.\n\
                    'http://x/pool/c/curl_7.88.1-10_amd64.deb' curl_7.88.1-10_amd64.deb 315764 SHA256:00\n\
                    'http://x/pool/z/zlib1g_1.2_amd64.deb' zlib1g_1%3a1.2_amd64.deb 86684 \n\
                    'http://x/evil' ../evil.deb 1 \n";
        let names = files(list);
        assert_eq!(names, ["curl_7.88.1-10_amd64.deb", "zlib1g_1%3a1.2_amd64.deb"]);
        let packages: Vec<&str> = names.iter().map(|name| package_of(name)).collect();
        assert_eq!(packages, ["curl", "zlib1g"]);
    }

    #[test]
    fn apts_last_complaint_is_the_reason() {
        assert_eq!(reason("x\nE: one\nE: two\n"), "E: two");
        assert_eq!(reason("x\n"), "it gave no reason");
    }
}
