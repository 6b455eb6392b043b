//! `--limit`: what is refused, and that a limit holds.

use crate::machine::can_isolate;
use crate::place::{Ended, Place};
use serde_json::json;

const DONE: &str = "turns: [{text: Done.}]";

#[test]
fn a_wrong_limit_is_refused_with_the_list() {
    let place = Place::new();
    for (limits, says) in [
        (
            &["memory"][..],
            &["memory", "NAME=AMOUNT", "processes", "open-files"][..],
        ),
        (
            &["memroy=1G"],
            &["memroy", "memory", "processes", "workspace", "tmp"],
        ),
        (&["memory="], &["memory"]),
        (&["memory=much"], &["memory", "much"]),
        (&["memory=-1"], &["memory", "-1"]),
        (&["memory=0"], &["memory", "at least 64 MiB"]),
        (&["memory=2g"], &["memory", "2g"]),
        (&["processes=1.5"], &["processes", "1.5"]),
        (&["processes=99999999999999999999999"], &["processes"]),
        (&["memory=99999999T"], &["memory"]),
        (&["=1G"], &["memory", "processes"]),
        (&["memory=1G", "memory=2G"], &["memory", "twice"]),
    ] {
        let flags: Vec<_> = limits.iter().flat_map(|limit| ["--limit", limit]).collect();
        let ended = place.play_in("auto", DONE, &flags);
        assert_eq!(ended.code, 2, "{limits:?}: {ended:?}");
        for part in says {
            assert!(
                ended.stderr.contains(part),
                "{limits:?} lacks {part:?}: {ended:?}"
            );
        }
        assert_eq!(ended.stdout, "");
        assert!(!place.data().exists(), "{limits:?}: nothing was made");
    }
}

#[test]
fn a_limit_without_a_sandbox_is_refused_because_it_would_have_no_effect() {
    let place = Place::new();
    let ended = place.play_in("none", DONE, &["--limit", "memory=1G"]);
    assert!(
        ended
            .check(2)
            .stderr
            .contains("--limit has no effect with --sandbox none"),
        "{ended:?}"
    );
    assert!(!place.data().exists());
}

/// What a command prints in a run with a private workspace and this limit.
fn printed(limit: &str, command: &str) -> String {
    let place = Place::new();
    let script = json!({"turns": [
        {"text": "I look.", "tool_calls": [{"name": "execute_command", "arguments": {"command": format!("{command}; true")}}]},
        {"text": "Done."},
    ]});
    let ended: Ended = place.play_in("full", &script.to_string(), &["--limit", limit, "-o", "json"]);
    let document = ended.check(0).json();
    document["toolCalls"][0]["output"].as_str().unwrap().to_owned()
}

#[test]
fn a_limit_of_open_files_holds() {
    if can_isolate() {
        let output = printed("open-files=123", "ulimit -n");
        assert!(output.contains("123"), "{output}");
    }
}

#[test]
fn limits_of_folders_and_files_hold() {
    if !can_isolate() {
        return;
    }
    let fill = |path: &str| format!("head -c 3000000 /dev/zero > {path}; stat -c 'size %s.' {path}");
    for (limit, path) in [
        ("tmp=1Mi", "/tmp/f"),
        ("workspace=1Mi", "/workspace/f"),
        ("file-size=1Mi", "/tmp/f"),
    ] {
        let output = printed(limit, &fill(path));
        assert!(output.contains("size 1048576."), "{limit}: {output}");
    }
    let output = printed("tmp=8Mi", &fill("/tmp/f"));
    assert!(output.contains("size 3000000."), "the test can fail: {output}");
}

#[test]
fn a_limit_of_processes_holds() {
    if can_isolate() {
        let many = "for i in $(seq 100); do sleep 1 & done; wait; echo all started";
        let output = printed("processes=64", &format!("({many})"));
        assert!(!output.contains("all started"), "{output}");
        let output = printed("processes=400", &format!("({many})"));
        assert!(output.contains("all started"), "the test can fail: {output}");
    }
}
