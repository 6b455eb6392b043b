//! Ctrl-C and the end of the program itself.

use crate::machine::{cgroups_with, command_line, default_mode, descendants, mounts_below, processes_with};
use crate::place::{Ended, Place, signal, wait_for};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long an agent that was told to stop may take.
const GRACE: Duration = Duration::from_secs(10);

/// A model that takes its time.
const DEAF: &str = "
turns:
  - text: I wait.
    delay: 100s
";

/// A run whose command says that it has begun, leaves children behind in sessions of their own, and takes its time.
struct Run {
    child: Child,
    work: PathBuf,
    /// What the command's processes have in their command lines, and no others.
    marker: String,
}

impl Run {
    fn start(place: &Place) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let marker = format!(
            "100.{}{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let command =
            format!("(setsid nohup sleep {marker} >/dev/null 2>&1 &); echo yes > begun; sleep {marker}");
        let script = place.file(
            "script.yaml",
            &format!(
                "turns:\n  - text: I wait.\n    tool_calls: [{{name: execute_command, arguments: {{command: '{command}', timeout: 120}}}}]\n  \
                 - text: Never said.\n"
            ),
        );
        let work = place.folder("work");
        let child = place
            .std_command()
            .args(["run", "-o", "json", "--sandbox", default_mode(), "--script"])
            .arg(script)
            .arg("--workspace")
            .arg(&work)
            .arg("Do it.")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, work, marker }
    }

    /// Waits until the command has begun, and returns the folder's name of its run, which is its UID.
    fn wait_for_command(&self, place: &Place) -> String {
        let begun = self.work.join("begun");
        wait_for("the command's beginning", || {
            std::fs::read_to_string(&begun).is_ok_and(|text| !text.is_empty())
        });
        wait_for("the command's processes", || {
            processes_with(&self.marker).len() >= 2
        });
        let runs = place.runs_left();
        let [run] = &runs[..] else { panic!("{runs:?}") };
        run.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    fn ended(self) -> Ended {
        Ended::of(self.child.wait_with_output().unwrap())
    }
}

/// Nothing runs, and nothing is mounted; whoever clears up after a killed program has not yet been here.
#[track_caller]
fn check_dead(place: &Place, marker: &str) {
    wait_for("the command's end", || processes_with(marker).is_empty());
    // Each process of a run is told its file below the data folder.
    let data = place.data();
    let data = data.to_str().unwrap();
    wait_for("the run's end", || processes_with(data).is_empty());
    assert_eq!(mounts_below(Path::new(data)), Vec::<String>::new());
}

/// Nothing is left of a run.
#[track_caller]
fn check_gone(place: &Place, marker: &str, run: &str) {
    check_dead(place, marker);
    assert_eq!(place.runs_left(), Vec::<PathBuf>::new());
    assert_eq!(cgroups_with(run), Vec::<PathBuf>::new());
}

#[test]
fn the_first_ctrl_c_cancels_and_everything_ends() {
    let place = Place::new();
    let run = Run::start(&place);
    let (uid, marker) = (run.wait_for_command(&place), run.marker.clone());
    run.signal(Signal::INT);
    let ended = run.ended();
    ended.check(130);
    assert!(ended.stderr.contains("Cancelling"), "{ended:?}");
    let document = ended.json();
    assert_eq!(
        (&document["phase"], &document["exitCode"]),
        (&"Cancelled".into(), &130.into())
    );
    check_gone(&place, &marker, &uid);
}

#[test]
fn a_request_to_end_is_heard_as_well() {
    let place = Place::new();
    let run = Run::start(&place);
    let (uid, marker) = (run.wait_for_command(&place), run.marker.clone());
    run.signal(Signal::TERM);
    run.ended().check(130);
    check_gone(&place, &marker, &uid);
}

/// The agent's process of a run: not its launcher, which waits outside.
fn agent_of(program: u32) -> u32 {
    let all = descendants(program);
    let is_agent = |pid: &u32| {
        let line = command_line(*pid);
        line.contains("internal runner") && !line.contains("internal sandbox")
    };
    all.iter().copied().find(is_agent).unwrap_or_else(|| {
        let lines: Vec<_> = all.iter().map(|pid| command_line(*pid)).collect();
        panic!("no agent among {lines:?}")
    })
}

#[test]
fn the_second_ctrl_c_does_not_wait_for_an_agent_that_does_not_answer() {
    let place = Place::new();
    let mut run = Run::start(&place);
    let (uid, marker) = (run.wait_for_command(&place), run.marker.clone());
    signal(agent_of(run.child.id()), Signal::STOP);
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
    check_gone(&place, &marker, &uid);
}

#[test]
fn what_a_killed_program_left_is_removed_at_the_next_start() {
    let place = Place::new();
    let run = Run::start(&place);
    let (uid, marker) = (run.wait_for_command(&place), run.marker.clone());
    run.signal(Signal::KILL);
    run.ended();
    check_dead(&place, &marker);
    assert!(!place.runs_left().is_empty(), "a killed program can't clean up");
    let next = place.play("turns: [{text: Done.}]", &[]);
    next.check(0);
    assert!(
        next.stderr
            .contains("Removed what 1 earlier run(s) had left behind."),
        "{next:?}"
    );
    check_gone(&place, &marker, &uid);
}

#[test]
fn a_run_whose_time_is_up_ends_with_4_or_with_what_it_has() {
    let place = Place::new();
    let ended = place.play(DEAF, &["--timeout", "1s", "-o", "json"]);
    ended.check(4);
    assert_eq!(ended.json()["exitCode"], 4);
    assert_eq!(place.runs_left(), Vec::<PathBuf>::new());
}
