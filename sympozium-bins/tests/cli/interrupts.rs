//! Ctrl-C and the end of the program itself.

use crate::place::{DEADLINE, Ended, Place, files, wait_for};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Calls a command that says that it has begun and then takes its time.
const WAITS: &str = "
turns:
  - text: I wait.
    tool_calls: [{name: execute_command, arguments: {command: 'echo $$ > begun; sleep 100', timeout: 120}}]
  - text: Never said.
";

/// The same, and ignores requests to end.
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

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
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
    run.signal("INT");
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
    run.signal("TERM");
    run.ended().check(130);
    wait_for("the command's end", || !is_alive(&pid));
}

#[test]
fn the_second_ctrl_c_does_not_wait() {
    let place = Place::new();
    let mut run = Run::start(&place, DEAF);
    wait_for("the run's folder", || !runs_left(&place).is_empty());
    let begun = Instant::now();
    run.signal("INT");
    // It may have ended after the first one already; then there is nobody to ask again.
    wait_for("the end", || {
        if run.child.try_wait().unwrap().is_some() {
            return true;
        }
        run.signal("INT");
        false
    });
    assert!(begun.elapsed() < DEADLINE / 4, "{:?}", begun.elapsed());
    run.ended().check(130);
    assert_eq!(runs_left(&place), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_a_killed_program_left_is_removed_at_the_next_start() {
    let place = Place::new();
    let run = Run::start(&place, WAITS);
    let pid = run.wait_for_command();
    run.signal("KILL");
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
