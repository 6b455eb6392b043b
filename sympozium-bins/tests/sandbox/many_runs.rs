//! A hundred runs at once, half of them killed at random moments, leave the machine as it was.

use crate::machine::Machine;
use crate::outputs;
use crate::who::{Who, is_root};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::process::Child;
use std::time::{Duration, Instant};

/// How many runs there are.
const RUNS: usize = 100;
/// How many at a time: each is a handful of processes.
const AT_ONCE: usize = 25;

/// What of the machine can tell that something was left.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    processes: BTreeSet<String>,
    mounts: usize,
    groups: usize,
    runs: usize,
}

/// Processes of this machine's runs, by id and command line: those outside of sandboxes are told where their files are,
/// those inside see something that lies there.
fn processes(machine: &Machine) -> BTreeSet<String> {
    let folder = machine.folder();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let path = entry.path();
            let line = std::fs::read(path.join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let mounts = std::fs::read_to_string(path.join("mountinfo")).unwrap_or_default();
            (line.contains(&folder) || mounts.contains(&format!("{folder}/data")))
                .then(|| format!("{} {line}", path.display()))
        })
        .collect()
}

fn look(machine: &Machine) -> Look {
    let runs = std::fs::read_dir(machine.path("data/runs")).map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| entry.file_name().len() == 36)
            .count()
    });
    Look {
        processes: processes(machine),
        mounts: std::fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .lines()
            .count(),
        groups: groups(),
        runs,
    }
}

/// Groups of runs in any hierarchy.
fn groups() -> usize {
    fn below(folder: &std::path::Path, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let Ok(entries) = std::fs::read_dir(folder) else {
            return 0;
        };
        entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| {
                let parent = folder
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("sympozium"));
                usize::from(parent && entry.file_name().len() == 36) + below(&entry.path(), depth - 1)
            })
            .sum()
    }
    below(std::path::Path::new("/sys/fs/cgroup"), 6)
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        // Knuth's generator for MMIX; its upper bits are good enough for choosing moments.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn signal(pid: u32, which: Signal) {
    // Whoever has ended already can't be killed any more.
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), which);
}

/// Kills the run's own program, asks it to end, or kills one of the processes that it has started.
fn harm(machine: &Machine, run: &Child, numbers: &mut Numbers) {
    match numbers.below(3) {
        0 => signal(run.id(), Signal::KILL),
        1 => signal(run.id(), Signal::INT),
        _ => {
            let children: Vec<u32> = processes(machine)
                .iter()
                .filter_map(|one| one.split(' ').next()?.rsplit('/').next()?.parse().ok())
                .filter(|pid| *pid != run.id() && parent(*pid) == Some(run.id()))
                .collect();
            if !children.is_empty() {
                let which = usize::try_from(numbers.below(children.len() as u64)).unwrap();
                signal(children[which], Signal::KILL);
            }
        }
    }
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn run_all(machine: &Machine, numbers: &mut Numbers) {
    let command = "echo begun > /workspace/a; setsid sleep 0.2 & sleep 0.3";
    for batch in 0..RUNS / AT_ONCE {
        let mut runs: Vec<Child> = (0..AT_ONCE)
            .map(|_| outputs::begin(machine, &[command], &["--sandbox", "full"]))
            .collect();
        for (index, run) in runs.iter().enumerate() {
            if (index + batch) % 2 == 0 {
                std::thread::sleep(Duration::from_millis(numbers.below(120)));
                harm(machine, run, numbers);
            }
        }
        for run in runs.drain(..) {
            outputs::in_time(run);
        }
    }
}

fn leaves_the_machine_as_it_was(who: Who) {
    let machine = Machine::new(who);
    let before = look(&machine);
    run_all(&machine, &mut Numbers(42));
    // Nobody has to sweep for processes to end.
    let begun = Instant::now();
    while !processes(&machine).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            processes(&machine)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(look(&machine).mounts, before.mounts);
    // The next start finds the rest.
    let shown = outputs::run(&machine, &["echo fine"], &["--sandbox", "full"]);
    assert!(shown.text.contains("fine"), "{shown:?}");
    assert_eq!(look(&machine).runs, 0);
    if is_root() {
        // Other tests run at the same time; none of their groups lasts.
        let begun = Instant::now();
        while groups() > before.groups {
            assert!(
                begun.elapsed() < Duration::from_mins(2),
                "groups of runs are left"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_hundred_runs_of_which_half_are_killed_leave_the_machine_as_it_was() {
    for who in Who::all() {
        match who.cannot() {
            Some(why) => println!("skipped: as {who:?}: {why}"),
            None => leaves_the_machine_as_it_was(who),
        }
    }
}

#[test]
fn a_process_that_is_left_would_be_seen() {
    let machine = Machine::new(Who::own());
    let mut left = std::process::Command::new("/bin/sh")
        .args(["-c", "read line", &machine.folder()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A process that has just been started has no command line yet.
    let begun = Instant::now();
    let mut seen = false;
    while !seen && begun.elapsed() < Duration::from_secs(20) {
        seen = !processes(&machine).is_empty();
    }
    left.kill().unwrap();
    left.wait().unwrap();
    assert!(seen);
}
