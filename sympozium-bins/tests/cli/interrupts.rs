//! Ctrl-C and the end of the program itself.

use crate::place::{Ended, Place, files, signal, wait_for};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long an agent that was told to stop may take.
const GRACE: Duration = Duration::from_secs(10);

/// Calls a command that says that it has begun and then takes its time.
const WAITS: &str = "
turns:
  - text: I wait.
    tool_calls: [{name: execute_command, arguments: {command: 'echo $$ > begun; sleep 100', timeout: 120}}]
  - text: Never said.
";

/// A model that takes its time.
const DEAF: &str = "
turns:
  - text: I wait.
    delay: 100s
";

struct Run {
    child: Child,
    work: std::path::PathBuf,
}

impl Run {
    fn start(place: &Place, script: &str) -> Self {
        let script = place.file("script.yaml", script);
        let work = place.folder("work");
        let child = place
            .std_command()
            .args(["run", "-o", "json", "--script"])
            .arg(script)
            .arg("--workspace")
            .arg(&work)
            .arg("Do it.")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, work }
    }

    fn wait_for_command(&self) -> String {
        let begun = self.work.join("begun");
        wait_for("the command's beginning", || {
            std::fs::read_to_string(&begun).is_ok_and(|pid| !pid.trim().is_empty())
        });
        std::fs::read_to_string(begun).unwrap().trim().to_owned()
    }

    fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    fn ended(self) -> Ended {
        Ended::of(self.child.wait_with_output().unwrap())
    }
}

fn is_alive(pid: &str) -> bool {
    // A process that has ended but was not yet waited for counts as dead.
    std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with('Z'))
    })
}

fn runs_left(place: &Place) -> Vec<std::path::PathBuf> {
    files(&place.data().join("runs"))
        .into_iter()
        .filter(|path| !path.ends_with(".lock"))
        .collect()
}

#[test]
fn the_first_ctrl_c_cancels_and_everything_ends() {
    let place = Place::new();
    let run = Run::start(&place, WAITS);
    let pid = run.wait_for_command();
    run.signal(Signal::INT);
    let ended = run.ended();
    ended.check(130);
    assert!(ended.stderr.contains("Cancelling"), "{ended:?}");
    let document = ended.json();
    assert_eq!(
        (&document["phase"], &document["exitCode"]),
        (&"Cancelled".into(), &130.into())
    );
    wait_for("the command's end", || !is_alive(&pid));
    assert_eq!(runs_left(&place), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_request_to_end_is_heard_as_well() {
    let place = Place::new();
    let run = Run::start(&place, WAITS);
    let pid = run.wait_for_command();
    run.signal(Signal::TERM);
    run.ended().check(130);
    wait_for("the command's end", || !is_alive(&pid));
}

/// The agent's process of a run.
fn agent_of(program: u32) -> String {
    let children = std::fs::read_to_string(format!("/proc/{program}/task/{program}/children")).unwrap();
    let threads = std::fs::read_dir(format!("/proc/{program}/task")).unwrap();
    // Children belong to the thread that started them.
    let of_threads = threads
        .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default());
    let all: Vec<_> = of_threads.chain([children]).collect();
    let is_agent = |pid: &&str| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("internal\0runner")
    };
    let found = all.iter().flat_map(|pids| pids.split_whitespace()).find(is_agent);
    found
        .unwrap_or_else(|| panic!("no agent among {all:?}"))
        .to_owned()
}

#[test]
fn the_second_ctrl_c_does_not_wait_for_an_agent_that_does_not_answer() {
    let place = Place::new();
    let mut run = Run::start(&place, WAITS);
    let pid = run.wait_for_command();
    signal(agent_of(run.child.id()).parse().unwrap(), Signal::STOP);
    run.signal(Signal::INT);
    let mut told = BufReader::new(run.child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Cancelling") {
        line.clear();
        assert_ne!(told.read_line(&mut line).unwrap(), 0);
    }
    assert!(
        run.child.try_wait().unwrap().is_none(),
        "the agent has its time to end"
    );
    let begun = Instant::now();
    run.signal(Signal::INT);
    let ended = run.ended();
    assert!(begun.elapsed() < GRACE / 2, "{:?}", begun.elapsed());
    assert_eq!(ended.check(130).json()["phase"], "Cancelled");
    wait_for("the command's end", || !is_alive(&pid));
    assert_eq!(runs_left(&place), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_a_killed_program_left_is_removed_at_the_next_start() {
    let place = Place::new();
    let run = Run::start(&place, WAITS);
    let pid = run.wait_for_command();
    run.signal(Signal::KILL);
    run.ended();
    assert!(!runs_left(&place).is_empty(), "a killed program can't clean up");
    let next = place.play("turns: [{text: Done.}]", &[]);
    next.check(0);
    assert!(
        next.stderr
            .contains("Removed what 1 earlier run(s) had left behind."),
        "{next:?}"
    );
    wait_for("the command's end", || !is_alive(&pid));
    assert_eq!(runs_left(&place), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_run_whose_time_is_up_ends_with_4_or_with_what_it_has() {
    let place = Place::new();
    let ended = place.play(DEAF, &["--timeout", "1s", "-o", "json"]);
    ended.check(4);
    assert_eq!(ended.json()["exitCode"], 4);
    assert_eq!(runs_left(&place), Vec::<std::path::PathBuf>::new());
}
