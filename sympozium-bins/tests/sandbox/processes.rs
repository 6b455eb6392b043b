//! Ways to other processes, and ways to live on.

use crate::attack::{held, uncollected};
use crate::machine::Machine;
use crate::outputs;
use crate::who::Who;

attacks! {
    processes_of_the_host: Escapes, "[ -d /proc/@VICTIM@ ] && echo $E";
    more_processes_than_its_own: Untried, "n=$(ls -d /proc/[0-9]* | wc -l); [ $n -gt 12 ] && echo \"$E $n\"";
    a_signal_to_a_process_of_the_host: Escapes, "kill -0 @VICTIM@ && echo $E";
    a_trace_of_a_process_of_the_host: Escapes, "sc 101 16902 @VICTIM@ 0 0";
    a_trace_of_the_first_process: Untried, "sc 101 16902 1 0 0";
    a_trace_of_itself: Escapes, "sc 101 0 0 0 0";
    the_memory_of_a_process_of_the_host: Escapes, "head -c 1 /proc/@VICTIM@/maps | grep -q . && echo $E";
    a_read_of_anothers_memory: Escapes, "sc 310 @VICTIM@ 0 0 0 0 0";
    a_write_to_anothers_memory: Escapes, "sc 311 @VICTIM@ 0 0 0 0 0";
    an_open_file_of_another_process: Escapes, "sc 438 -1 0 0";
    advice_on_anothers_memory: Escapes, "sc 440 -1 0 0 0 0";
    a_comparison_with_another_process: Escapes, "sc 312 @VICTIM@ @VICTIM@ 1 0 0";
    another_processs_priority: Escapes, "sc 140 0 @VICTIM@";
    another_processs_limits: Escapes, "sc 302 @VICTIM@ 7 0 0";
    a_higher_priority: Untried, "sc 141 0 0 -5; perl -e 'print \"$ENV{E}\" if getpriority(0, 0) < 0'";
    a_real_time_priority: Untried, "perl -e 'my $p = pack(\"i\", 1); syscall(144, 0, 1, $p) == 0 and print $ENV{E}'";
    the_oom_killers_favour: Untried, "{ echo -1000 > /proc/self/oom_score_adj; } 2>/dev/null && echo $E";
    another_user: Escapes, "perl -e '$( = $) = 0; $< = $> = 0; print \"$ENV{E}\\n\" if $< == 0 && $> == 0'";
    the_rights_of_root: Escapes, "[ \"$(id -u)\" = 0 ] && echo $E; grep -q 'CapEff:.*[1-9a-f]' /proc/self/status && echo $E";
    rights_that_can_be_had_again: Escapes, "grep -q 'CapBnd:.*[1-9a-f]' /proc/self/status && echo $E";
    rights_that_are_inherited: Untried, "grep -q -e 'CapAmb:.*[1-9a-f]' -e 'CapInh:.*[1-9a-f]' -e 'CapPrm:.*[1-9a-f]' /proc/self/status && echo $E";
    programs_that_run_as_their_owner: Escapes, "grep -q 'NoNewPrivs:.*0' /proc/self/status && echo $E";
    calls_without_a_filter: Escapes, "grep -q 'Seccomp:.*0' /proc/self/status && echo $E";
    groups_of_the_starter: Untried, "id -G | tr ' ' '\\n' | grep -v -e '^1000$' -e '^65534$' | grep -q . && echo $E";
    the_user_namespace_of_the_host: Escapes, "[ \"$(readlink /proc/self/ns/user)\" = \"$(readlink /proc/@VICTIM@/ns/user)\" ] && echo $E";
    a_map_of_more_users: Untried, "{ echo '0 0 4294967295' > /proc/self/uid_map; } 2>/dev/null && echo $E; [ \"$(wc -l < /proc/self/uid_map)\" != 1 ] && echo $E; awk '$3 != 1 { exit 1 }' /proc/self/uid_map || echo $E";
}

/// A word that only this test's processes have in their command line.
fn mark() -> String {
    format!("3{:09}", fastrand_like())
}

/// Differs from test to test and from run to run.
fn fastrand_like() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0 % 1_000_000_000
}

/// Processes of the machine whose command line holds that word.
fn living(mark: &str) -> usize {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.starts_with("sleep") && line.contains(mark)
    })
    .count()
}

/// Leaves something running by that script; nothing may be there any more when the run has ended.
fn leaves_nothing(name: &str, script: &str) {
    for who in Who::all() {
        if let Some(why) = who.cannot() {
            println!("skipped: {name} as {who:?}: {why}");
            continue;
        }
        let machine = Machine::new(who);
        let mark = mark();
        let script = uncollected(&machine, &script.replace("@MARK@", &mark));
        let shown = outputs::run(
            &machine,
            &[&script, "sleep 0; echo again"],
            &["--sandbox", "full"],
        );
        held(name, "a skill's shell", who, &machine, &shown);
        assert!(shown.text.contains("again"), "the executor lives on: {shown:?}");
        assert_eq!(living(&mark), 0, "{name} left something running as {who:?}");
    }
}

#[test]
fn a_daemon_that_outlives_the_run() {
    leaves_nothing(
        "a daemon",
        "setsid nohup sleep @MARK@ >/dev/null 2>&1 < /dev/null &",
    );
}

#[test]
fn a_daemon_whose_parents_have_ended() {
    leaves_nothing(
        "an orphan",
        "(setsid sh -c 'setsid sleep @MARK@ >/dev/null 2>&1 < /dev/null & exit 0' &)",
    );
}

#[test]
fn a_process_that_ignores_signals() {
    leaves_nothing(
        "a deaf process",
        "sh -c 'trap \"\" TERM INT HUP; while :; do sleep @MARK@; done' >/dev/null 2>&1 < /dev/null &",
    );
}

#[test]
fn a_process_that_keeps_the_output_open() {
    leaves_nothing("an open output", "sleep @MARK@ &");
}

#[test]
fn the_end_of_the_executor() {
    leaves_nothing(
        "the executor's end",
        "(trap '' TERM INT HUP QUIT USR1; for s in TERM INT HUP QUIT USR1 STOP KILL; do kill -$s 1 2>/dev/null; done); sleep @MARK@ &",
    );
}

#[test]
fn the_end_of_everything() {
    for who in Who::all() {
        if let Some(why) = who.cannot() {
            println!("skipped: as {who:?}: {why}");
            continue;
        }
        let mut machine = Machine::new(who);
        let script = uncollected(&machine, "kill -KILL -1; kill -KILL 0");
        let shown = outputs::run(&machine, &[&script, "echo again"], &["--sandbox", "full"]);
        assert!(shown.text.contains("again"), "the executor lives on: {shown:?}");
        assert!(shown.text.contains("[exit code 137]"), "{shown:?}");
        assert!(machine.victim_lives());
    }
}
