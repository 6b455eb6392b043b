//! What the machine that runs the tests allows, found out without the program under test; and what is on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Why this machine has no sandbox; nothing when it has one.
static LACKS: LazyLock<Option<&'static str>> = LazyLock::new(lacks);

/// File systems that can't show files under other ids.
const OVERLAY: i128 = 0x794c_7630;

fn lacks() -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return Some("this is not Linux");
    }
    let flags = [
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "--net",
        "--fork",
        "--mount-proc",
    ];
    let tried = Command::new("unshare")
        .args(flags)
        .arg("true")
        .stderr(Stdio::null())
        .status();
    match tried {
        Err(_) => Some("there is no program `unshare` to find out whether namespaces can be made"),
        Ok(status) if !status.success() => Some("this machine allows no namespaces"),
        Ok(_) if is_root() && on_overlay(&std::env::temp_dir()) => {
            Some("the folder for temporary files is on overlayfs, which root can't give to a run")
        }
        Ok(_) if is_root() && !has_cgroups() => Some("root has no cgroup to limit runs by"),
        Ok(_) => None,
    }
}

fn on_overlay(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|found| i128::from(found.f_type) == OVERLAY)
}

fn has_cgroups() -> bool {
    let root = Path::new("/sys/fs/cgroup");
    let writable =
        |folder: &Path| folder.is_dir() && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok();
    let in_one = writable(&root.join("memory")) && writable(&root.join("pids"));
    in_one || (root.join("cgroup.controllers").exists() && writable(root))
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The mode for tests that are not about isolation.
pub(crate) fn default_mode() -> &'static str {
    if LACKS.is_some() { "none" } else { "auto" }
}

/// False when the test can't run here, which is said.
pub(crate) fn can_isolate() -> bool {
    if let Some(why) = *LACKS {
        println!("skipped: {why}");
    }
    LACKS.is_none()
}

/// Processes whose command line contains a text. The one who asks is left out.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != std::process::id() && command_line(*pid).contains(text))
        .collect()
}

/// The command line of a process, its words parted by spaces; empty when it has ended.
pub(crate) fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Processes that descend from this one.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut all = vec![of];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        all.extend(children(pid));
        at += 1;
    }
    all.split_off(1)
}

/// Children belong to the thread that started them.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// What this process's mount namespace has below a folder.
pub(crate) fn mounts_below(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = folder.to_str().unwrap();
    text.lines()
        .filter(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with(below)))
        .map(str::to_owned)
        .collect()
}

/// Control groups whose name contains a text.
pub(crate) fn cgroups_with(text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().contains(text) {
                found.push(entry.path());
            }
            open.push(entry.path());
        }
    }
    found
}
