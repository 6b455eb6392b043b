//! What commands do every day, under every rule that commands can have.

use crate::child::{COMMANDS, COUNTED, RUNNER, Task, has};
use std::fs;

#[track_caller]
fn works(script: &str, says: &str) {
    for rules in [COMMANDS, COUNTED] {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("set -e; cd {}; {script}", folder.path().display());
        let outcome = Task::held_by(rules).shell(&script);
        assert!(outcome.fine(), "{outcome:?}");
        assert_eq!(outcome.said, says);
    }
}

#[test]
fn a_shell_has_pipes_subshells_and_background_jobs() {
    works(
        "(echo b; echo a) | sort; sleep 0 & wait $!; echo $(printf c)",
        "a\nb\nc",
    );
}

#[test]
fn a_large_sort_has_its_threads_and_files() {
    works(
        "seq 200000 | sort -R --parallel=4 -S 1M | sort -n | tail -n 1",
        "200000",
    );
}

#[test]
fn archives_are_packed_and_unpacked() {
    works(
        "mkdir a; echo hi > a/f; chmod 750 a/f; ln -s f a/l; mkfifo a/p; tar cf x.tar a; rm -r a; tar xf x.tar; cat a/l",
        "hi",
    );
}

#[test]
fn an_interpreter_starts_threads_children_and_a_server_on_loopback() {
    const SCRIPT: &str = r#"
import subprocess, threading, socket, tempfile, multiprocessing
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout.strip())
t = threading.Thread(target=lambda: print("thread")); t.start(); t.join()
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname()); print("socket")
socket.getaddrinfo("127.0.0.1", 80)
with multiprocessing.Pool(2) as pool: print(sum(pool.map(abs, [-1, -2])))
"#;
    if !has("python3") {
        return;
    }
    for rules in [COMMANDS, COUNTED] {
        let outcome = Task::held_by(rules).run(&["python3", "-c", SCRIPT]);
        assert_eq!(outcome.said, "child\nthread\nsocket\n3");
    }
}

#[test]
fn an_agents_rules_still_let_its_program_start() {
    let outcome = Task::held_by(RUNNER).run(&["echo", "started"]);
    assert_eq!((outcome.code, outcome.said.as_str()), (Some(0), "started"));
}

#[test]
fn a_setuid_copy_of_a_program_can_not_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let script = format!("cp /bin/true {0}; chmod u+s {0}", copy.display());
    assert!(!Task::held_by(COMMANDS).shell(&script).fine());
    let mode = |path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode()
    };
    assert_eq!(mode(&copy) & 0o6000, 0);
    assert!(Task::default().shell(&script).fine());
    assert_eq!(mode(&copy) & 0o6000, 0o4000);
}
