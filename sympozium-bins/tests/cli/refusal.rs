//! A machine that allows no sandbox: the run is refused, with the reason and a way on, and nothing is made.

use crate::machine::can_isolate;
use crate::place::{Ended, Place, program};
use std::process::Command;

const DONE: &str = "turns: [{text: Done.}]";

/// Runs the program as an ordinary user of a user namespace in which no further ones may be made. The number is the
/// namespace's own; the machine's stays as it is.
fn where_no_namespaces_are_allowed(place: &Place, args: &[&str]) -> Ended {
    let script = place.file("script.yaml", DONE);
    let output = Command::new("unshare")
        .args(["--user", "--map-user=1000", "--map-group=1000", "--keep-caps", "sh", "-c"])
        .arg("echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps -all --inh-caps -all \"$@\"")
        .arg("sh")
        .arg(program())
        .arg("run")
        .arg("--script")
        .arg(script)
        .args(args)
        .arg("Do it.")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", place.path(""))
        .env("SYMPOZIUM_DATA_DIR", place.data())
        .output()
        .unwrap();
    Ended::of(output)
}

/// The words that a refusal has, whatever shows it.
fn check_words(message: &str) {
    for part in ["user namespaces", "max_user_namespaces", "--sandbox none"] {
        assert!(message.contains(part), "lacks {part:?}: {message}");
    }
}

#[test]
fn without_namespaces_a_run_is_refused_with_the_reason_and_nothing_is_made() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    for mode in [&[][..], &["--sandbox", "auto"], &["--sandbox", "full"]] {
        let ended = where_no_namespaces_are_allowed(&place, mode);
        ended.check(2);
        assert_eq!(ended.stdout, "");
        let lines: Vec<_> = ended.stderr.lines().collect();
        let [line] = &lines[..] else { panic!("{ended:?}") };
        assert!(line.starts_with("sympozium: "), "{line}");
        check_words(line);
        assert!(!place.data().exists(), "nothing is made");
    }
}

#[test]
fn programs_are_told_a_refusal_as_the_result() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    let document = where_no_namespaces_are_allowed(&place, &["-o", "json"]);
    let json = document.check(2).json();
    assert_eq!(
        (&json["phase"], &json["exitCode"], &json["isolation"]),
        (&"Failed".into(), &2.into(), &"full".into())
    );
    assert_eq!(json.get("isolationDetail"), None);
    check_words(json["error"].as_str().unwrap());
    check_words(&document.stderr);

    let lines = where_no_namespaces_are_allowed(&place, &["-o", "jsonl"])
        .check(2)
        .lines();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["run", "result"]);
    assert_eq!(lines[0]["uid"], lines[1]["uid"]);
    check_words(lines[1]["error"].as_str().unwrap());
    assert!(!place.data().exists(), "nothing is made");
}

#[test]
fn without_namespaces_a_run_without_isolation_works_and_says_so() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    let ended = where_no_namespaces_are_allowed(&place, &["--sandbox", "none"]);
    assert_eq!(ended.check(0).stdout, "Done.\n");
    assert!(ended.stderr.starts_with("! The run is not isolated"), "{ended:?}");
}
