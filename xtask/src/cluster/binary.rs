//! The programs of the cluster: one Go binary under many names, built once per version and kept in the cache.
//!
//! The key is a hash of everything that goes into the build, so a machine that has built this version before needs no Go.
//! Entry: [`ensure`].

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::{install, repo, stage};

/// The module, relative to the root of the clone.
const MODULE: &str = "test/cluster/kubebin";

/// Names under which the binary is called.
const LINKS: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "coredns",
    "kwok",
    "netpol",
];

/// What `KUBEBUILDER_ASSETS` has to hold, by the convention of controller-runtime's envtest.
const ASSETS: &[&str] = &["etcd", "kube-apiserver", "kubectl"];

/// The programs of the module.
const PACKAGES: [&str; 2] = [".", "./cmd/pause"];

/// Kubernetes' own program, alone.
const KUBECTL: &str = "k8s.io/kubernetes/cmd/kubectl";

/// A change of how the binary is built, or of how its folder is laid out, raises this.
const LAYOUT: u8 = 1;

/// The folder with the programs; builds them when this version was never built here.
pub(super) fn ensure() -> anyhow::Result<PathBuf> {
    let cache = repo::cache_dir()?.join("kubebin");
    std::fs::create_dir_all(&cache).with_context(|| format!("create {}", cache.display()))?;
    let module = read_module()?;
    let dir = cache.join(key(&module));
    if dir.is_dir() {
        return Ok(dir);
    }
    // One build at a time: two would take twice as long for the same bytes.
    let lock = File::create(cache.join("lock")).context("create the lock of the build")?;
    lock.lock().context("wait for another build")?;
    if dir.is_dir() {
        return Ok(dir);
    }
    let new = cache.join(format!("new-{}", std::process::id()));
    std::fs::create_dir_all(&new).with_context(|| format!("create {}", new.display()))?;
    let built = is_possible().and_then(|()| build(&new, &module)).and_then(|()| {
        std::fs::rename(&new, &dir).with_context(|| format!("put {} in its place", dir.display()))
    });
    if built.is_err() {
        let _ = std::fs::remove_dir_all(&new);
    }
    built.map(|()| dir)
}

/// Says in a sentence what is in the way of [`ensure`]: nothing when this version was built here before.
pub(super) fn is_possible() -> anyhow::Result<()> {
    let module = read_module()?;
    if repo::cache_dir()?.join("kubebin").join(key(&module)).is_dir() {
        return Ok(());
    }
    check_toolchain(&module)?;
    let mut list = go_with_cache()?;
    let listed = stage::capture("go list", list.args(["list", "-deps"]).args(PACKAGES))?;
    if !listed.success {
        bail!(
            "the Go modules of the test cluster could not be had: {}",
            listed.output.lines().last().unwrap_or_default()
        );
    }
    Ok(())
}

/// A kubectl by itself, for images: the one binary is large. Built from the same module, and kept beside it.
pub(super) fn kubectl() -> anyhow::Result<PathBuf> {
    let module = read_module()?;
    let dir = repo::cache_dir()?.join("kubebin");
    let program = dir.join(format!("kubectl-{}", key(&module)));
    if program.is_file() {
        return Ok(program);
    }
    check_toolchain(&module)?;
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    let new = dir.join(format!("new-kubectl-{}", std::process::id()));
    let version =
        word_after(text(&module, "go.mod"), "k8s.io/kubernetes").context("go.mod names no Kubernetes")?;
    let mut command = go_with_cache()?;
    command
        .args(["build", "-ldflags", &linker_flags(version), "-o"])
        .arg(&new)
        .arg(KUBECTL);
    let finished = stage::capture("build kubectl", &mut command)?;
    if !finished.success {
        bail!("go build failed:\n{}", finished.output.trim_end());
    }
    std::fs::rename(&new, &program).with_context(|| format!("put {} in its place", program.display()))?;
    Ok(program)
}

/// The folder for `KUBEBUILDER_ASSETS`, which also serves as an addition to `PATH`.
pub(super) fn assets(programs: &Path) -> PathBuf {
    programs.join("assets")
}

/// A file of the module: its path below the module, and its content.
type Source = (String, Vec<u8>);

/// Everything that goes into the binary: tests do not.
fn read_module() -> anyhow::Result<Vec<Source>> {
    let root = repo::root().join(MODULE);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry
                .with_context(|| format!("list {}", folder.display()))?
                .path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(&root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            if goes_in(&name) {
                let content = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
                files.push((name, content));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn goes_in(name: &str) -> bool {
    let is_source =
        name.rsplit_once('.').is_some_and(|(_, ending)| ending == "go") && !name.ends_with("_test.go");
    is_source || name == "go.mod" || name == "go.sum"
}

/// A name for the version. Lengths keep the end of one file from counting as the start of the next.
fn key(files: &[Source]) -> String {
    let mut hash = Sha256::new();
    hash.update([LAYOUT]);
    hash.update(std::env::consts::ARCH);
    for (name, content) in files {
        for part in [name.as_bytes(), content.as_slice()] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize().get(..8).unwrap_or_default())
}

fn text<'a>(files: &'a [Source], name: &str) -> &'a str {
    let found = files.iter().find(|(found, _)| found == name);
    found
        .and_then(|(_, content)| std::str::from_utf8(content).ok())
        .unwrap_or_default()
}

/// The word behind another at the start of a line of go.mod.
fn word_after<'a>(go_mod: &'a str, first: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(first)).then(|| words.next()).flatten()
    })
}

/// Says in one sentence what is missing.
fn check_toolchain(module: &[Source]) -> anyhow::Result<()> {
    let needed = word_after(text(module, "go.mod"), "go").context("go.mod names no version of Go")?;
    if install::find("go").is_none() {
        bail!(
            "the test cluster is built with Go, and there is no `go` in PATH: install Go {needed} or later from https://go.dev/dl"
        );
    }
    let found = repo::stdout_of(go().args(["env", "GOVERSION"]))?;
    if release(found.trim()) < release(needed) {
        bail!(
            "the test cluster needs Go {needed} or later, and `go` in PATH is {}: see https://go.dev/dl",
            found.trim()
        );
    }
    Ok(())
}

/// The numbers of `go1.26.8`, `1.26.0` and the like.
fn release(version: &str) -> Vec<u32> {
    let numbers = version.trim_start_matches("go").split('.');
    numbers.map_while(|number| number.parse().ok()).collect()
}

/// A `go` that uses the toolchain that is there.
fn go() -> Command {
    let mut command = Command::new("go");
    command
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        .current_dir(repo::root().join(MODULE));
    command
}

/// A `go` whose downloads and results are kept in the project's cache. Its flags are the same for every call, since others
/// would compile everything anew.
pub(super) fn go_with_cache() -> anyhow::Result<Command> {
    let cache = repo::cache_dir()?.join("go");
    let mut command = go();
    command
        .env("GOCACHE", cache.join("build"))
        .env("GOMODCACHE", cache.join("mod"))
        .env("GOFLAGS", "-mod=readonly -trimpath");
    Ok(command)
}

/// The module's own tests; an error when there is no Go that could run them.
pub(super) fn tests() -> anyhow::Result<Command> {
    check_toolchain(&read_module()?)?;
    let mut command = go_with_cache()?;
    command.args(["test", "-v", "./netpol", "./credentials", "./testimages"]);
    Ok(command)
}

fn build(dir: &Path, module: &[Source]) -> anyhow::Result<()> {
    println!(
        "  building the programs of the test cluster with Go; the first time it takes 10 to 15 minutes on two cores"
    );
    let version =
        word_after(text(module, "go.mod"), "k8s.io/kubernetes").context("go.mod names no Kubernetes")?;
    let mut command = go_with_cache()?;
    command
        .args(["build", "-ldflags", &linker_flags(version), "-o"])
        .arg(dir)
        .args(PACKAGES);
    let finished = stage::capture("build kubebin", &mut command)?;
    if !finished.success {
        bail!("go build failed:\n{}", finished.output.trim_end());
    }
    for name in LINKS {
        symlink("kubebin", dir.join(name)).with_context(|| format!("link {name}"))?;
    }
    let assets = assets(dir);
    std::fs::create_dir(&assets).context("create the folder of assets")?;
    for name in ASSETS {
        symlink("../kubebin", assets.join(name)).with_context(|| format!("link {name}"))?;
    }
    Ok(())
}

/// No debugger tables, and the version that the programs give as their own.
fn linker_flags(version: &str) -> String {
    let minor = version.split('.').nth(1).unwrap_or_default();
    let package = "k8s.io/component-base/version";
    format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor=1 -X {package}.gitMinor={minor} \
         -X k8s.io/client-go/pkg/version.gitVersion={version}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, content: &str) -> Source {
        (name.to_owned(), content.as_bytes().to_vec())
    }

    #[test]
    fn the_key_changes_with_every_byte_and_with_where_it_stands() {
        let base = key(&[source("a.go", "xy"), source("b.go", "z")]);
        assert_eq!(base, key(&[source("a.go", "xy"), source("b.go", "z")]));
        for other in [
            [source("a.go", "x"), source("b.go", "yz")],
            [source("a.go", "xy"), source("c.go", "z")],
            [source("a.go", "xy"), source("b.go", "Z")],
        ] {
            assert_ne!(base, key(&other));
        }
    }

    #[test]
    fn tests_and_notes_do_not_cause_a_build() {
        for (name, expected) in [
            ("main.go", true),
            ("netpol/rules.go", true),
            ("go.mod", true),
            ("go.sum", true),
            ("netpol/rules_test.go", false),
            ("README.md", false),
        ] {
            assert_eq!(goes_in(name), expected, "{name}");
        }
    }

    #[test]
    fn the_real_module_names_its_versions() {
        let module = read_module().unwrap();
        let go_mod = text(&module, "go.mod");
        assert!(
            word_after(go_mod, "k8s.io/kubernetes")
                .unwrap()
                .starts_with("v1.")
        );
        assert!(release(word_after(go_mod, "go").unwrap()) >= vec![1, 26]);
    }

    #[test]
    fn versions_of_go_are_compared_as_numbers() {
        assert!(release("go1.26.8") > release("1.26.0"));
        assert!(release("go1.9") < release("1.26.0"));
        assert!(release("go1.26rc1") < release("1.26.0"));
    }

    #[test]
    fn programs_give_the_released_version() {
        let flags = linker_flags("v1.36.3");
        assert!(
            flags.contains("gitVersion=v1.36.3") && flags.contains("gitMinor=36"),
            "{flags}"
        );
    }

    #[test]
    fn every_asset_is_a_link() {
        for name in ASSETS {
            assert!(LINKS.contains(name), "{name}");
        }
    }
}
