//! Groups of runs on this machine: what one run does in its group does not reach another. Only where a group can be made.
#![cfg(all(target_os = "linux", feature = "local", feature = "testing"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets something unexpected has to fail"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use sympozium_core::ids::RunUid;
use sympozium_core::local::LocalLimits;
use sympozium_core::local::cgroup::{Base, Counts, Group};

/// The place for groups that count everything, or a word on why there is none.
fn base() -> Option<Base> {
    let all = Counts {
        memory: true,
        processes: true,
    };
    let base = Base::find().filter(|base| base.counts() == all);
    if base.is_none() {
        eprintln!("skipped: this user can't make cgroups that count memory and processes here");
    }
    base
}

fn small() -> LocalLimits {
    LocalLimits {
        memory: 64 << 20,
        processes: 64,
        ..LocalLimits::default()
    }
}

/// A group that is gone when the test is over, also when it failed.
struct Scope {
    group: Option<Group>,
    folders: Vec<PathBuf>,
}

impl Scope {
    fn new(base: &Base, run: RunUid) -> Self {
        let group = base.make(run, &small()).unwrap();
        let folders = group
            .procs()
            .iter()
            .map(|procs| procs.parent().unwrap().to_path_buf())
            .collect();
        Self {
            group: Some(group),
            folders,
        }
    }

    fn group(&self) -> &Group {
        self.group.as_ref().unwrap()
    }

    fn remove(mut self) -> Vec<PathBuf> {
        self.group.take().unwrap().remove().unwrap();
        std::mem::take(&mut self.folders)
    }

    /// A shell in the group.
    fn shell(&self, script: &str) -> Shell {
        let enter: Vec<String> = self
            .group()
            .procs()
            .iter()
            .map(|procs| format!("echo 0 > '{}'", procs.display()))
            .collect();
        let mut child = Command::new("/bin/sh")
            .arg("-ec")
            .arg(format!("{}\necho entered\n{script}", enter.join("\n")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        assert_eq!(first, "entered\n");
        Shell { child, lines }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = group.kill();
            let _ = group.remove();
        }
    }
}

struct Shell {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Shell {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn processes(folder: &Path) -> usize {
    fs::read_to_string(folder.join("cgroup.procs"))
        .unwrap()
        .lines()
        .count()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "not within 20 seconds: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_fork_bomb_is_stopped_by_its_own_group_and_a_run_beside_it_starts_processes() {
    let Some(base) = base() else { return };
    let bomb = Scope::new(&base, RunUid::random());
    let beside = Scope::new(&base, RunUid::random());
    let _shell = bomb.shell("f() { while :; do f & done; }; f");
    let counter = bomb
        .folders
        .iter()
        .map(|folder| folder.join("pids.current"))
        .find(|file| file.exists())
        .unwrap();
    let events = counter.with_file_name("pids.events");
    wait_until("the bomb is refused a process", || {
        fs::read_to_string(&events).unwrap() != "max 0\n"
    });
    let current: u64 = fs::read_to_string(counter).unwrap().trim().parse().unwrap();
    assert!(current <= 64, "{current}");
    let mut other = beside.shell("/bin/true && /bin/true | /bin/cat && echo well");
    assert_eq!(other.line(), "well");

    bomb.group().kill().unwrap();
    for folder in &bomb.folders {
        assert_eq!(processes(folder), 0);
    }
    for folder in bomb.remove() {
        assert!(!folder.exists(), "{}", folder.display());
    }
}

#[test]
fn a_memory_hog_is_killed_in_its_own_group_and_a_run_beside_it_lives() {
    let Some(base) = base() else { return };
    let hog = Scope::new(&base, RunUid::random());
    let beside = Scope::new(&base, RunUid::random());
    let mut witness = beside.shell("read line; echo alive");
    let mut shell = hog.shell("exec dd if=/dev/zero of=/dev/null bs=1G count=1");
    assert!(!hog.group().out_of_memory());
    wait_until("the hog is killed", || !shell.is_running());
    wait_until("the kill is counted", || hog.group().out_of_memory());
    assert!(!beside.group().out_of_memory());
    assert!(witness.is_running());
    drop(witness.child.stdin.take());
    drop(witness);
    drop(shell);
    hog.remove();
    beside.remove();
}

#[test]
fn files_in_memory_count_as_memory_of_the_run() {
    let Some(base) = base() else { return };
    let file = Path::new("/dev/shm").join(format!("sympozium-test-{}", RunUid::random()));
    if !Path::new("/dev/shm").is_dir() {
        eprintln!("skipped: there is no file system in memory at /dev/shm");
        return;
    }
    let scope = Scope::new(&base, RunUid::random());
    let mut shell = scope.shell(&format!("exec head -c 256M /dev/zero > '{}'", file.display()));
    wait_until("the writer is killed", || !shell.is_running());
    let size = fs::metadata(&file).map(|data| data.len());
    let _ = fs::remove_file(&file);
    assert!(scope.group().out_of_memory());
    assert!(size.unwrap() < 65 << 20);
}

#[test]
fn killing_reaches_sessions_groups_and_orphans_and_lets_nothing_start_anew() {
    let Some(base) = base() else { return };
    let scope = Scope::new(&base, RunUid::random());
    let mut shell = scope.shell(
        "setsid sh -c 'trap \"\" TERM HUP INT; sleep 1000 & sleep 1000' &\n(sleep 1000 &)\nsleep 1000 & kill -STOP $!\necho up; sleep 1000",
    );
    assert_eq!(shell.line(), "up");
    wait_until("all are there", || processes(&scope.folders[0]) >= 6);
    scope.group().kill().unwrap();
    for folder in &scope.folders {
        assert_eq!(processes(folder), 0);
    }
    // Ended, but not waited for yet: removing does not need that.
    scope.remove();
    assert!(!shell.is_running());
}

#[test]
fn a_group_of_the_same_run_that_was_left_behind_is_emptied_before_it_is_used_again() {
    let Some(base) = base() else { return };
    let run = RunUid::random();
    let left = Scope::new(&base, run);
    let mut old = left.shell("sleep 1000");
    let again = Scope::new(&base, run);
    wait_until("the old process is killed", || !old.is_running());
    assert_eq!(processes(&again.folders[0]), 0);
    let mut new = again.shell("echo well");
    assert_eq!(new.line(), "well");
}

#[test]
fn sweeping_ends_runs_that_are_dead_and_spares_those_that_live() {
    let Some(base) = base() else { return };
    let (dead, living) = (RunUid::random(), RunUid::random());
    let killed = Scope::new(&base, dead);
    let spared = Scope::new(&base, living);
    let young = Scope::new(&base, RunUid::random());
    let mut gone = killed.shell("sleep 1000");
    let mut stays = spared.shell("sleep 1000");
    // Tests beside this one have runs of their own.
    base.sweep(|run| run != dead);
    wait_until("the dead run's process is killed", || !gone.is_running());
    assert!(killed.folders.iter().all(|folder| !folder.exists()));
    assert!(spared.folders.iter().all(|folder| folder.exists()));
    assert!(stays.is_running());
    assert!(young.folders.iter().all(|folder| folder.exists()));
}

#[test]
fn removing_a_group_with_processes_in_it_is_refused_and_kills_nobody() {
    let Some(base) = base() else { return };
    let scope = Scope::new(&base, RunUid::random());
    let mut shell = scope.shell("sleep 1000");
    for folder in &scope.folders {
        assert!(fs::remove_dir(folder).is_err());
    }
    assert!(shell.is_running());
}

#[test]
fn the_limits_are_those_that_were_asked_for() {
    let Some(base) = base() else { return };
    let scope = Scope::new(&base, RunUid::random());
    let read = |names: &[&str]| {
        scope
            .folders
            .iter()
            .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
            .find_map(|file| fs::read_to_string(file).ok())
    };
    assert_eq!(
        read(&["memory.max", "memory.limit_in_bytes"]).unwrap(),
        "67108864\n"
    );
    assert_eq!(read(&["pids.max"]).unwrap(), "64\n");
    let swap = read(&["memory.swap.max", "memory.memsw.limit_in_bytes"]);
    assert!(
        swap.as_deref()
            .is_none_or(|most| ["0\n", "67108864\n"].contains(&most)),
        "{swap:?}"
    );
}

#[test]
fn an_ordinary_user_without_a_group_of_his_own_finds_no_place() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let dir = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in("/tmp")
        .unwrap();
    let copy = dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let output = std::os::unix::process::CommandExt::uid(&mut Command::new(copy), 54321)
        .args(["--exact", "found_here", "--nocapture"])
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("found: None"), "{text}");
}

#[test]
fn found_here() {
    eprintln!("found: {:?}", Base::find());
}
