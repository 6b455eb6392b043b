//! What a run says about its isolation, and what its commands see: the walls themselves have tests where they are built.

use crate::machine::{can_isolate, is_root};
use crate::place::{Ended, Place};
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const DONE: &str = "turns: [{text: Done.}]";

/// What a command prints in a run with a given workspace, beside how the run ended.
fn printed(place: &Place, mode: &str, command: &str) -> String {
    let work = place.folder("work");
    let command = format!("{{ {command} ; }} > out 2>&1");
    let script = json!({"turns": [
        {"text": "I look.", "tool_calls": [{"name": "execute_command", "arguments": {"command": command}}]},
        {"text": "Done."},
    ]});
    let ended = place.play_in(
        mode,
        &script.to_string(),
        &["--workspace", work.to_str().unwrap(), "-o", "json"],
    );
    ended.check(0);
    fs::read_to_string(work.join("out")).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// The output of one tool call, and whether it failed.
fn called(ended: &Ended, at: usize) -> (String, bool) {
    let call = &ended.check(0).json()["toolCalls"][at];
    (
        call["output"].as_str().unwrap().to_owned(),
        call["isError"].as_bool().unwrap(),
    )
}

#[test]
fn the_first_line_says_that_a_run_is_not_isolated() {
    let place = Place::new();
    let ended = place.play_in("none", DONE, &[]);
    let first = ended.check(0).stderr.lines().next().unwrap();
    assert!(
        first.starts_with("! The run is not isolated: its agent and commands can do whatever you can do"),
        "{ended:?}"
    );
    let document = place.play_in("none", DONE, &["-o", "json"]).json();
    assert_eq!(document["isolation"], "none");
    assert_eq!(document.get("isolationDetail"), None);
    assert!(document["notes"][0].as_str().unwrap().contains("not isolated"));
}

#[test]
fn the_first_line_says_which_walls_and_limits_hold() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    for mode in ["auto", "full"] {
        let ended = place.play_in(mode, DONE, &[]);
        let first = ended.check(0).stderr.lines().next().unwrap();
        for part in ["Isolated", "no network", "4 GiB"] {
            assert!(first.contains(part), "{mode}: {part:?}: {ended:?}");
        }
        assert!(!ended.stderr.contains("not isolated"), "{ended:?}");
        let document = place.play_in(mode, DONE, &["-o", "json"]).json();
        assert_eq!(document["isolation"], "full");
        assert_eq!(document["isolationDetail"], first);
        assert!(!document["notes"].to_string().contains("not isolated"));
        let lines = place.play_in(mode, DONE, &["-o", "jsonl"]).lines();
        assert_eq!(lines[0]["isolationDetail"], first);
    }
}

#[test]
fn a_limit_that_is_given_is_in_the_first_line() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    let ended = place.play_in("full", DONE, &["--limit", "memory=3Gi"]);
    let first = ended.check(0).stderr.lines().next().unwrap();
    assert!(first.contains("3 GiB"), "{ended:?}");
}

#[test]
fn a_command_is_user_1000_in_its_workspace() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    let seen = printed(&place, "full", "id -u; id -g; id -G; pwd");
    assert_eq!(seen, "1000\n1000\n1000\n/workspace\n");
}

#[test]
fn a_command_does_not_see_home_nor_files_of_this_machine() {
    let place = Place::new();
    let secret = place.file("secret", "canary-file");
    let look = format!("cat {}", secret.display());
    assert!(
        printed(&place, "none", &look).contains("canary-file"),
        "the test can fail"
    );
    if !can_isolate() {
        return;
    }
    assert!(!printed(&place, "full", &look).contains("canary-file"));
    let seen = printed(
        &place,
        "full",
        "ls -d /home /root /var /srv /opt /etc/shadow 2>/dev/null",
    );
    assert_eq!(seen, "");
    let seen = printed(&place, "full", "echo $HOME; env | grep -c SYMPOZIUM_DATA_DIR");
    assert!(!seen.contains(place.path("").to_str().unwrap()), "{seen}");
    assert!(seen.ends_with("0\n"), "{seen}");
}

#[test]
fn a_command_has_no_network() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected'");
    if !printed(&place, "none", &connect).contains("connected") {
        println!("skipped: there is no bash that can connect");
        return;
    }
    if !can_isolate() {
        return;
    }
    assert!(!printed(&place, "full", &connect).contains("connected"));
    let routes = printed(
        &place,
        "full",
        "tail -n +2 /proc/net/route; tail -n +3 /proc/net/dev",
    );
    let devices: Vec<_> = routes
        .lines()
        .filter_map(|line| line.split(':').next())
        .map(str::trim)
        .collect();
    assert_eq!(devices, ["lo"], "{routes}");
}

#[test]
fn a_command_sees_no_process_but_those_of_its_sandbox() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    let seen = printed(&place, "full", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(!seen.contains("internal runner"), "{seen}");
    assert!(!seen.contains("--script"), "{seen}");
}

#[test]
fn the_model_is_told_the_workspace_by_its_name_inside() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    let work = place.folder("work");
    fs::write(work.join("a.txt"), "hello").unwrap();
    let outside = work.join("a.txt");
    let script = json!({"turns": [
        {"text": "I look.", "tool_calls": [
            {"name": "read_file", "arguments": {"path": "/workspace/a.txt"}},
            {"name": "read_file", "arguments": {"path": outside}},
            {"name": "execute_command", "arguments": {"command": "pwd; cat /workspace/a.txt"}},
        ]},
        {"text": "Done."},
    ]});
    let flags = ["--workspace", work.to_str().unwrap(), "-o", "json"];
    let ended = place.play_in("full", &script.to_string(), &flags);
    let (text, failed) = called(&ended, 0);
    assert!(!failed && text.contains("hello"), "{ended:?}");
    assert!(called(&ended, 1).1, "{ended:?}");
    let (text, failed) = called(&ended, 2);
    assert!(!failed && text.contains("/workspace\nhello"), "{ended:?}");
}

#[test]
fn what_a_run_writes_into_a_given_workspace_belongs_to_the_folders_owner() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    printed(&place, "full", "mkdir d; echo x > d/f");
    let work = fs::metadata(place.path("work")).unwrap();
    for name in ["work/out", "work/d", "work/d/f"] {
        let made = fs::metadata(place.path(name)).unwrap();
        assert_eq!((made.uid(), made.gid()), (work.uid(), work.gid()), "{name}");
    }
}

#[test]
fn a_workspace_that_is_only_read_can_not_be_changed_by_commands_either() {
    if !can_isolate() {
        return;
    }
    let place = Place::new();
    let work = place.folder("work");
    fs::write(work.join("a.txt"), "hello").unwrap();
    fs::set_permissions(work.join("a.txt"), fs::Permissions::from_mode(0o666)).unwrap();
    let script = json!({"turns": [
        {"text": "I write.", "tool_calls": [
            {"name": "execute_command", "arguments": {"command": "cat a.txt; echo x >> a.txt; touch new; rm a.txt; true"}},
            {"name": "write_file", "arguments": {"path": "new", "content": "x"}},
        ]},
        {"text": "Done."},
    ]});
    let flag = format!("{}:ro", work.display());
    let ended = place.play_in("full", &script.to_string(), &["--workspace", &flag, "-o", "json"]);
    assert!(called(&ended, 0).0.contains("hello"), "it can be read: {ended:?}");
    assert!(called(&ended, 1).1, "{ended:?}");
    assert_eq!(fs::read_to_string(work.join("a.txt")).unwrap(), "hello");
    assert_eq!(fs::read_dir(&work).unwrap().count(), 1);
}

#[test]
fn notes_say_what_of_a_pack_does_not_hold_here() {
    let place = Place::new();
    let pack = place.file(
        "pack.yaml",
        "apiVersion: sympozium.ai/v1alpha1\nkind: SkillPack\nmetadata: {name: digest}\n\
         spec: {skills: [{name: s, content: x}], sidecar: {image: 'debian:bookworm-slim'}}\n",
    );
    let ended = place.play(DONE, &["--skill", pack.to_str().unwrap()]);
    assert!(
        ended
            .check(0)
            .stderr
            .contains("! Skill digest: its image debian:bookworm-slim is not used"),
        "{ended:?}"
    );
}

#[test]
fn what_the_program_keeps_is_for_its_owner_alone() {
    let place = Place::new();
    place.play(DONE, &["--memory"]).check(0);
    for (name, mode) in [
        ("data", 0o700),
        ("data/runs", 0o700),
        ("data/sympozium.db", 0o600),
    ] {
        let found = fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
}

/// A folder that any user can look into, with a copy of the program, which may lie where only root can.
struct Other {
    place: Place,
}

impl Other {
    /// A user that nobody is.
    const ID: u32 = 54_321;

    fn new() -> Option<Self> {
        if !is_root() || !can_isolate() {
            println!("skipped: only root can be somebody else");
            return None;
        }
        let place = Place::new();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.path(""), open).unwrap();
        fs::copy(crate::place::program(), place.path("sympozium")).unwrap();
        std::os::unix::fs::chown(place.folder("home"), Some(Self::ID), Some(Self::ID)).unwrap();
        Some(Self { place })
    }

    fn run(&self, args: &[&str]) -> Ended {
        let id = Self::ID.to_string();
        let output = std::process::Command::new("setpriv")
            .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
            .arg(self.place.path("sympozium"))
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.place.path("home"))
            .current_dir(self.place.path("home"))
            .output()
            .unwrap();
        Ended::of(output)
    }
}

#[test]
fn an_ordinary_user_has_the_same_walls() {
    let Some(other) = Other::new() else { return };
    let work = other.place.folder("work");
    std::os::unix::fs::chown(&work, Some(Other::ID), Some(Other::ID)).unwrap();
    let look = "{ id -u; pwd; cat /etc/shadow; ls -d /home /root; } > out 2>/dev/null";
    let script = json!({"turns": [
        {"text": "I look.", "tool_calls": [{"name": "execute_command", "arguments": {"command": look}}]},
        {"text": "Done."},
    ]});
    let script = other.place.file("script.yaml", &script.to_string());
    let (script, work_flag) = (script.to_str().unwrap(), work.to_str().unwrap());
    let ended = other.run(&["run", "--script", script, "--workspace", work_flag, "Look."]);
    ended.check(0);
    let first = ended.stderr.lines().next().unwrap();
    assert!(first.contains("Isolated"), "{ended:?}");
    assert_eq!(
        fs::read_to_string(work.join("out")).unwrap(),
        "1000\n/workspace\n"
    );
    let made = fs::metadata(work.join("out")).unwrap();
    assert_eq!(made.uid(), Other::ID);
    let runs = other.place.path("home/.local/share/sympozium/runs");
    let left = fs::read_dir(runs).unwrap();
    let left: Vec<_> = left
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
