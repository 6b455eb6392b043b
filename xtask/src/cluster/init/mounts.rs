//! The mounts of a cluster: fixed paths for its files, and no path by which it could reach another's.
//!
//! The mount namespace is the cluster's own. Nothing that is done here is seen outside, and all of it goes when the last
//! process of the cluster ends.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::repo;

use super::super::layout::{HERE, NODE_NAME, PROGRAMS};
use super::super::request::Order;

/// What a kubelet sets for the whole machine. It gets files to write into: a test must not change how the machine behaves
/// when memory ends or the kernel stumbles.
const KEPT_SETTINGS: &[&str] = &[
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Sets up all mounts, and the host name.
pub(super) fn arrange(order: &Order) -> anyhow::Result<()> {
    // A new /run is put together where it disturbs nobody, for the cluster's folder may itself be below the old one.
    let run = order.dir.join("run");
    make_dir(&run)?;
    mount(&["-t", "tmpfs", "-o", "mode=755", "tmpfs"], &run)?;
    for (source, target) in [(&order.dir, HERE), (&order.programs, PROGRAMS)] {
        let name = target.trim_start_matches("/run/");
        make_dir(&run.join(name))?;
        mount(&["--bind", &source.to_string_lossy()], &run.join(name))?;
    }
    mount(&["--move", &run.to_string_lossy()], Path::new("/run"))?;

    let var = Path::new(HERE).join("var");
    for name in ["lib", "log"] {
        make_dir(&var.join(name))?;
    }
    symlink("/run", var.join("run")).context("link /var/run")?;
    symlink("/tmp", var.join("tmp")).context("link /var/tmp")?;
    make_dir(&Path::new(HERE).join("tmp"))?;
    for own in ["var", "tmp"] {
        mount(&["--bind", &format!("{HERE}/{own}")], &Path::new("/").join(own))?;
    }

    mount(&["-t", "proc", "proc"], Path::new("/proc"))?;
    keep_settings()?;
    // Containers look for propagation, and it ends at this namespace.
    mount(&["--make-rshared"], Path::new("/"))?;
    std::fs::write("/proc/sys/kernel/hostname", NODE_NAME).context("set the host name")
}

fn keep_settings() -> anyhow::Result<()> {
    let copies = Path::new("/run/settings");
    make_dir(copies)?;
    for name in KEPT_SETTINGS {
        let real = Path::new("/proc/sys").join(name);
        let copy = copies.join(name.replace('/', "."));
        // A kernel without the setting has nothing to protect.
        if let Ok(value) = std::fs::read(&real) {
            std::fs::write(&copy, value).with_context(|| format!("write {}", copy.display()))?;
            mount(&["--bind", &copy.to_string_lossy()], &real)?;
        }
    }
    Ok(())
}

fn make_dir(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))
}

fn mount(words: &[&str], target: &Path) -> anyhow::Result<()> {
    repo::stdout_of(Command::new("mount").arg("--no-mtab").args(words).arg(target)).map(drop)
}
