//! Commands that turn against their executor, or leave things behind. Those that could hit others run in process ids of
//! their own.

use crate::{Bench, command};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use sympozium_core::confine::{FileRules, restrict_files};
use sympozium_core::toolbox::prepare_process;

fn restricted(bench: &mut Bench) {
    let read = ["/usr", "/bin", "/lib", "/lib64", "/etc", "/proc"];
    bench.config.commands = Some(FileRules {
        read: read.iter().map(PathBuf::from).collect(),
        write: vec![bench.at("work"), "/dev/null".into()],
    });
}

/// Whether the kernel keeps signals from leaving a domain.
fn has_scopes() -> bool {
    let everything = FileRules {
        read: vec!["/".into()],
        write: vec![],
    };
    let version = std::thread::spawn(move || restrict_files(&everything)).join();
    let found = version.unwrap().unwrap().is_some_and(|version| version >= 6);
    if !found {
        skipped("this kernel's Landlock does not know signals");
    }
    found
}

#[expect(clippy::print_stdout, reason = "whoever reads the test's output has to know")]
fn skipped(why: &str) {
    println!("skipped: {why}");
}

/// Executes half a test in process ids of its own, as the first of them or as a child of the first.
pub(crate) fn alone(test: &str, first: bool) {
    let unshare = |words: &[&str]| -> Output {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        let own = ["--pid", "--fork", "--kill-child", "--mount-proc"];
        command.args(own).args(words).env("ALONE", "1").output().unwrap()
    };
    if !unshare(&["true"]).status.success() {
        return skipped("no process ids of one's own here");
    }
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let rest = [program, test, "--exact", "--nocapture"];
    let shell = ["sh", "-c", "\"$0\" \"$@\"; exit $?"];
    let words = if first {
        rest.to_vec()
    } else {
        [&shell[..], &rest].concat()
    };
    let output = unshare(&words);
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(
        output.status.success() && ran,
        "{test}, first: {first}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

pub(crate) fn is_alone() -> bool {
    std::env::var_os("ALONE").is_some()
}

/// How many processes there are below this one.
pub(crate) fn left_behind() -> usize {
    let lists = std::fs::read_dir("/proc/self/task").unwrap().map(|task| {
        let list = std::fs::read_to_string(task.unwrap().path().join("children"));
        list.unwrap_or_default().split_whitespace().count()
    });
    lists.sum()
}

#[tokio::test]
async fn commands_reach_nothing_of_their_executors_own() {
    if !has_scopes() {
        return;
    }
    let attempts = [
        "ls ../tools",
        "echo x > ../tools/exec-result-9.json",
        "rm ../state/begun-0",
        "ls ../approvals",
        "echo x > ../approvals/1.json",
        "kill -9 $PPID",
        "kill -STOP $PPID",
        "kill -0 $PPID",
    ];
    let mut bench = Bench::new();
    restricted(&mut bench);
    let working = bench.start();
    for (n, attempt) in attempts.iter().enumerate() {
        let result = bench.ask(&command(&n.to_string(), attempt)).await;
        assert_ne!(result.exit_code, 0, "{attempt}: {result:?}");
    }
    let fine = bench.ask(&command("fine", "echo x > own && cat own")).await;
    working.end().await;
    assert_eq!((fine.exit_code, fine.stdout.as_str()), (0, "x\n"));
    // The same can be done where nothing is said of commands.
    let bench = Bench::new();
    let result = bench.once(&command("1", "ls ../tools && kill -0 $PPID")).await;
    assert_eq!(result.exit_code, 0, "{result:?}");
}

#[test]
fn a_command_that_kills_all_it_can_does_not_end_its_executor() {
    if has_scopes() {
        alone("confined::kills_all", false);
        alone("confined::kills_all", true);
    }
}

#[tokio::test]
async fn kills_all() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let mut bench = Bench::new();
    restricted(&mut bench);
    bench.config.sole = true;
    let working = bench.start();
    let result = bench
        .ask(&command("1", "sleep 1000 & kill -9 -1; wait $!; echo $?"))
        .await;
    assert_eq!(result.stdout, "137\n", "{result:?}");
    assert_eq!(bench.ask(&command("2", "echo on")).await.stdout, "on\n");
    working.end().await;
}

#[test]
fn what_a_command_leaves_in_whatever_session_ends_with_it() {
    alone("confined::leaves", false);
    alone("confined::leaves", true);
}

#[tokio::test]
async fn leaves() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let mut bench = Bench::new();
    bench.config.sole = true;
    let working = bench.start();
    let left = [
        "sleep 1000 & echo done",
        "setsid sleep 1000 & echo done",
        "setsid sh -c 'setsid sleep 1000 & sleep 1000' & echo done",
        "(trap '' TERM HUP; sleep 1000 > /dev/null 2>&1 &) & echo done",
        // Each one is replaced by another before it ends.
        "f() { (f &) }; f & echo done",
        // And each by two others.
        "f() { sleep 0.01; f & f & wait; }; f & echo done",
    ];
    for (n, script) in left.iter().enumerate() {
        let result = bench.ask(&command(&n.to_string(), script)).await;
        assert_eq!(
            (result.exit_code, result.stdout.as_str()),
            (0, "done\n"),
            "{script}"
        );
        assert_eq!(left_behind(), 0, "{script}");
    }
    working.end().await;
}

#[test]
fn a_command_whose_time_is_up_ends_with_all_sessions_that_it_began() {
    alone("confined::takes_too_long", false);
    alone("confined::takes_too_long", true);
}

#[tokio::test]
async fn takes_too_long() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let mut bench = Bench::new();
    bench.config.sole = true;
    let working = bench.start();
    let mut request = command(
        "1",
        "setsid sh -c 'setsid sleep 1000 & sleep 1000' & echo begun; sleep 1000",
    );
    request.timeout = Some(1);
    let began = Instant::now();
    let result = bench.ask(&request).await;
    assert_eq!(
        (result.exit_code, result.timed_out, result.stdout.as_str()),
        (124, true, "begun\n")
    );
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(left_behind(), 0);
    working.end().await;
}

#[tokio::test]
async fn a_signal_is_told_by_the_exit_code() {
    let bench = Bench::new();
    let working = bench.start();
    for (id, script, code) in [
        ("kill", "kill -KILL $$", 137),
        ("term", "kill -TERM $$", 143),
        ("segv", "kill -SEGV $$", 139),
        ("code", "exit 77", 77),
    ] {
        let result = bench.ask(&command(id, script)).await;
        assert_eq!((result.exit_code, result.timed_out), (code, false), "{script}");
    }
    working.end().await;
}

#[tokio::test]
async fn outputs_are_cut_between_characters() {
    let bench = Bench::new();
    // Two bytes each, after a single one: the limit falls into the middle of a character.
    let script = "printf x; i=0; while [ $i -lt 30000 ]; do printf é; i=$((i+1)); done";
    let result = bench.once(&command("1", script)).await;
    assert!(result.stdout.ends_with('é') && !result.stdout.contains('\u{FFFD}'));
    assert_eq!(result.stdout.len() as u64 + result.stdout_cut, 60_001);
}

#[tokio::test]
async fn something_left_in_another_session_holds_the_result_up_for_a_moment_only() {
    let bench = Bench::new();
    let began = Instant::now();
    // Not the only children of this process, so nobody looks for it; it ends by itself.
    let result = bench.once(&command("1", "setsid sleep 8 & echo done")).await;
    assert_eq!(result.stdout, "done\n");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}
