//! How programs end, and who ends them.

use crate::start::{
    Started, Who, attempt, command, everybody, kill, launcher, output, plan, processes, run, text, until,
};
use rustix::process::Signal;
use std::path::Path;
use sympozium_core::local::sandbox::{Access, SandboxPlan, TryOutcome};

/// A program that can be found among the machine's processes by this word, and that leaves others behind.
fn stubborn(who: Who, word: &str) -> SandboxPlan {
    let script =
        "trap '' TERM INT HUP; (setsid sh -c 'echo up; sleep 1000; true' \"$1\" &); sleep 1000; true";
    let mut plan = plan(who, script);
    plan.args.extend(["sh".to_owned(), word.to_owned()]);
    plan
}

/// A word that no other process has.
fn word(name: &str, who: Who) -> String {
    format!("{name}-{who:?}-{}", std::process::id())
}

fn gone(word: &str) {
    until("the end of all processes", || processes(word).is_empty());
}

#[test]
fn exit_codes_and_signals_of_the_program_are_the_launchers() {
    for who in everybody() {
        for code in [0, 1, 7, 125, 255] {
            assert_eq!(
                run(who, &plan(who, &format!("exit {code}"))).status.code(),
                Some(code),
                "{who:?}"
            );
        }
        let word = word("killed", who);
        let mut started = Started::sandbox(who, &stubborn(who, &word));
        assert_eq!(started.line(), "up");
        // The launcher's child is the program.
        let children = format!("/proc/{0}/task/{0}/children", started.pid());
        let child = std::fs::read_to_string(children).unwrap();
        kill(child.trim().parse().unwrap(), Signal::KILL);
        assert_eq!(started.code(), Some(137), "{who:?}");
        gone(&word);
    }
}

#[test]
fn what_is_said_to_the_launcher_the_program_hears_and_the_other_way_round() {
    for who in everybody() {
        let mut started =
            Started::sandbox(who, &plan(who, "read a; echo \"heard $a\"; echo bad >&2; exit 4"));
        started.write("this\n");
        assert_eq!(started.line(), "heard this", "{who:?}");
        assert_eq!(started.code(), Some(4), "{who:?}");
        let mut said = String::new();
        std::io::Read::read_to_string(started.child.stderr.as_mut().unwrap(), &mut said).unwrap();
        assert_eq!(said, "bad\n");
    }
}

#[test]
fn a_signal_to_end_is_passed_on() {
    for who in everybody() {
        for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT")] {
            let script = format!("trap 'echo stopped; exit 3' {name}; echo up; while :; do sleep 0.01; done");
            let mut started = Started::sandbox(who, &plan(who, &script));
            assert_eq!(started.line(), "up");
            started.signal(signal);
            assert_eq!(started.line(), "stopped", "{who:?}");
            assert_eq!(started.code(), Some(3), "{who:?}");
        }
    }
}

#[test]
fn when_the_starter_goes_everything_goes() {
    for who in everybody() {
        let word = word("left", who);
        let mut started = Started::sandbox(who, &stubborn(who, &word));
        assert_eq!(started.line(), "up");
        assert!(processes(&word).len() > 1);
        drop(started.stdin.take());
        assert_eq!(started.code(), Some(137), "{who:?}");
        gone(&word);
    }
}

#[test]
fn when_the_launcher_is_killed_everything_goes() {
    for who in everybody() {
        let word = word("orphans", who);
        let mut started = Started::sandbox(who, &stubborn(who, &word));
        assert_eq!(started.line(), "up");
        started.signal(Signal::KILL);
        assert_eq!(started.code(), None, "{who:?}");
        gone(&word);
    }
}

fn check_refusal(who: Who, change: impl Fn(&mut SandboxPlan), words: &[&str]) {
    let mut plan = plan(who, "echo started");
    change(&mut plan);
    let output = run(who, &plan);
    let said = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(125), String::new()),
        "{said}"
    );
    for word in words {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(matches!(attempt(who, &plan), TryOutcome::Failed(_)));
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused_with_step_file_and_reason() {
    for who in everybody() {
        let bind = |from: &str, at: &str| crate::start::bind(from, at, Access::ReadOnly);
        check_refusal(
            who,
            |plan| plan.program = "/bin/nothing".into(),
            &["start the program", "/bin/nothing", "os error 2"],
        );
        check_refusal(
            who,
            |plan| plan.dir = "/nowhere".into(),
            &["/nowhere", "os error 2"],
        );
        check_refusal(
            who,
            |plan| plan.mounts.push(bind("/nowhere", "/x")),
            &["mount /nowhere", "os error 2"],
        );
        check_refusal(
            who,
            |plan| plan.mounts.push(bind("/usr", "/etc/../x")),
            &["mount /etc/../x", "os error 22"],
        );
        check_refusal(
            who,
            |plan| plan.mounts.push(bind("/usr", "/usr/no")),
            &["mount /usr/no", "os error 30"],
        );
        check_refusal(
            who,
            |plan| plan.mounts.push(bind("/usr", "/bin/x")),
            &["mount /bin/x", "os error 20"],
        );
        check_refusal(
            who,
            |plan| plan.cgroups.push("/nowhere/cgroup.procs".into()),
            &["cgroup", "os error 2"],
        );
        check_refusal(
            who,
            |plan| plan.holder = Some(u32::MAX),
            &["holder", "os error 2"],
        );
    }
}

#[test]
fn arguments_and_plans_that_are_none_are_refused_in_one_sentence() {
    let folder = crate::start::open_folder();
    let nonsense = folder.path().join("nonsense");
    std::fs::write(&nonsense, "{\"no\": 1}").unwrap();
    let rows: [(&[&str], &str); 5] = [
        (&[], "--config is missing"),
        (&["--config"], "--config needs a file"),
        (&["--other"], "--other is not an argument"),
        (&["--config", "/nowhere"], "/nowhere could not be read"),
        (&["--hold", "--config", nonsense.to_str().unwrap()], "is not one"),
    ];
    for (arguments, words) in rows {
        let launcher = launcher();
        let output = output(command(Who::Root, &*launcher).args(arguments));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn what_is_optional_and_missing_is_left_out() {
    for who in everybody() {
        let mut plan = plan(who, "ls -d /x 2>/dev/null || echo none");
        let mut mount = crate::start::bind("/nowhere/at/all", "/x", Access::ReadOnly);
        if let sympozium_core::local::sandbox::MountKind::Bind { optional, .. } = &mut mount.kind {
            *optional = true;
        }
        plan.mounts.push(mount);
        assert_eq!(crate::start::said(who, &plan), "none", "{who:?}");
        assert!(!Path::new("/x").exists());
    }
}
