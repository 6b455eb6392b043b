//! What one run can use up, as far as the first line claims a limit.

use crate::attack::{held, inside};
use crate::machine::Machine;
use crate::outputs::{self, Shown};
use crate::who::Who;
use std::time::Instant;

/// Small limits, so that they are met soon.
const SMALL: [&str; 10] = [
    "--limit",
    "processes=64",
    "--limit",
    "memory=256Mi",
    "--limit",
    "workspace=16Mi",
    "--limit",
    "tmp=8Mi",
    "--limit",
    "open-files=128",
];

/// Runs a script with small limits as everybody, and gives what it showed to the check. A second command must still work.
fn bounded(name: &str, script: &str, check: impl Fn(Who, &Shown)) {
    for who in Who::all() {
        if let Some(why) = who.cannot() {
            println!("skipped: {name} as {who:?}: {why}");
            continue;
        }
        let mut machine = Machine::new(who);
        let script = inside(&machine, script);
        let mut flags = vec!["--sandbox", "full"];
        flags.extend(SMALL);
        let begun = Instant::now();
        let shown = outputs::run(&machine, &[&script, "echo still here"], &flags);
        assert!(begun.elapsed() < outputs::DEADLINE, "{name}");
        held(name, "a skill's shell", who, &machine, &shown);
        assert!(shown.text.contains("still here"), "{name} as {who:?}: {shown:?}");
        assert!(machine.victim_lives(), "{name} harmed another process");
        check(who, &shown);
    }
}

/// The number behind a word in what was printed.
fn number(shown: &Shown, word: &str) -> u64 {
    let rest = shown.text.split_once(word).map(|(_, rest)| rest);
    let digits: String = rest
        .unwrap_or_else(|| panic!("there is no {word} in {shown:?}"))
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap()
}

#[test]
fn a_fork_bomb() {
    let script = "perl -e 'my @p; while (@p < 2000) { my $p = fork; last unless defined $p; if (!$p) { sleep 100; exit } push @p, $p } print \"forked \", scalar(@p), \"\\n\"; kill \"KILL\", @p'";
    bounded("a fork bomb", script, |who, shown| {
        let forked = number(shown, "forked");
        assert!((5..64).contains(&forked), "as {who:?}: {shown:?}");
    });
}

#[test]
fn a_fork_bomb_that_never_ends_by_itself() {
    bounded(
        "a shell's fork bomb",
        "f() { f | f & }; f 2>/dev/null; sleep 1",
        |_, _| {},
    );
}

#[test]
fn eight_gibibytes_of_memory() {
    let script = "perl -e 'my @a; for my $i (1 .. 128) { push @a, \"x\" x (64 << 20); print \"took $i\\n\"; $| = 1 } print \"all of it\\n\"'; echo ended $?";
    bounded("8 GiB of memory", script, |who, shown| {
        assert!(!shown.text.contains("all of it"), "as {who:?}: {shown:?}");
        assert!(
            !shown.text.contains("took 5\n"),
            "256 MiB is the limit, as {who:?}: {shown:?}"
        );
    });
}

#[test]
fn memory_that_belongs_to_no_process() {
    // A file in memory, and a segment that is shared.
    let script = "perl -e 'my $f = syscall(319, \"x\\0\", 0); if ($f < 0) { print \"no file $!\\n\" } else { open(my $h, \">&=\", $f); my $b = \"x\" x (1 << 20); my $n = 0; while ($n < 1024 && syswrite($h, $b)) { $n++; } print \"wrote $n MiB\\n\" }'; echo ended";
    bounded("memory of no process", script, |who, shown| {
        if shown.text.contains("wrote") {
            assert!(number(shown, "wrote") <= 256, "as {who:?}: {shown:?}");
        }
    });
}

#[test]
fn a_full_workspace() {
    let script = "head -c 64M /dev/zero > /workspace/big; echo size $(stat -c %s /workspace/big); rm -f /workspace/big";
    bounded("a full workspace", script, |who, shown| {
        assert!(number(shown, "size") <= 16 << 20, "as {who:?}: {shown:?}");
    });
}

#[test]
fn a_full_tmp() {
    let script = "head -c 64M /dev/zero > /tmp/big; echo size $(stat -c %s /tmp/big); rm -f /tmp/big";
    bounded("a full /tmp", script, |who, shown| {
        assert!(number(shown, "size") <= 8 << 20, "as {who:?}: {shown:?}");
    });
}

#[test]
fn full_shared_memory() {
    let script =
        "head -c 200M /dev/zero > /dev/shm/big; echo size $(stat -c %s /dev/shm/big); rm -f /dev/shm/big";
    bounded("full shared memory", script, |who, shown| {
        assert!(number(shown, "size") <= 64 << 20, "as {who:?}: {shown:?}");
    });
}

#[test]
fn a_million_files() {
    let script = "cd /workspace; perl -e 'my $n = 0; while ($n < 1000000) { open(my $f, \">\", \"f$n\") or last; close $f; $n++ } print \"made $n\\n\"'; find . -type f -delete";
    bounded("a million files", script, |who, shown| {
        assert!(number(shown, "made") < 1_000_000, "as {who:?}: {shown:?}");
    });
}

#[test]
fn more_open_files_than_it_may_have() {
    let script = "perl -e 'my @f; while (@f < 5000) { open(my $f, \"<\", \"/dev/null\") or last; push @f, $f } print \"opened \", scalar(@f), \"\\n\"'";
    bounded("open files", script, |who, shown| {
        assert!(number(shown, "opened") < 128, "as {who:?}: {shown:?}");
    });
}

#[test]
fn limits_that_are_raised_again() {
    let script = "ulimit -n 100000 2>/dev/null && echo $E; ulimit -H -n 100000 2>/dev/null && echo $E; ulimit -f unlimited 2>/dev/null && [ \"$(ulimit -f)\" = unlimited ] && echo $E; ulimit -c unlimited 2>/dev/null && [ \"$(ulimit -c)\" = unlimited ] && echo $E; true";
    bounded("raised limits", script, |_, _| {});
}

#[test]
fn a_core_dump_in_somebodys_hands() {
    let script = "cd /workspace; sh -c 'kill -SEGV $$'; ls /workspace | grep -q core && echo $E; true";
    bounded("a core dump", script, |_, _| {});
}

#[test]
fn output_without_an_end() {
    let script = "yes | head -c 100M; echo done";
    bounded("output without an end", script, |_, _| {});
}

#[test]
fn the_first_line_says_which_limits_hold() {
    for who in Who::all() {
        if who.cannot().is_some() {
            continue;
        }
        let machine = Machine::new(who);
        let mut flags = vec!["--sandbox", "full"];
        flags.extend(SMALL);
        let shown = outputs::run(&machine, &["true"], &flags);
        let first = shown.all.lines().next().unwrap_or_default();
        for amount in ["256 MiB", "64 processes", "16 MiB", "8 MiB"] {
            assert!(first.contains(amount), "{amount} is not in {first}");
        }
    }
}
