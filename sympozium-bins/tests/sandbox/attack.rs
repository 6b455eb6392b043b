//! One attempt, everywhere it is made.

use crate::machine::Machine;
use crate::outputs::Shown;
use crate::who::Who;
use crate::{outputs, runner};

/// What is known of an attempt without a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// It succeeds there, and does no harm.
    Escapes,
    /// It is not made there: it would harm the machine, or there is nothing that it could be compared with.
    Untried,
}

/// The word by which a script says that it got out. The script itself never holds it in one piece.
const ESCAPED: &str = "ESCAPED";
/// The word by which a script says that it was carried out to its end.
const TRIED: &str = "TRIED";
/// The word by which a script says that this kernel has no such thing.
const MISSING: &str = "MISSING";

/// What each script can use: `$E` is the word for success; `sc NUMBER ARGS` makes a system call and tells whether it was
/// refused (EPERM, ESRCH, ENOSYS, EAFNOSUPPORT, EACCES); a word that is no number is handed over as a text.
const PRELUDE: &str = r#"
E=ESCA; E=${E}PED; export E
sc() { perl -e '
  my ($n, @a) = @ARGV; my @args = map { /^-?\d+$/ ? $_ + 0 : "$_\0" } @a; my $r = syscall($n, @args); my $e = $! + 0;
  if ($r == -1 && ($e == 1 || $e == 3 || $e == 13)) { print "refused $e\n" }
  elsif ($r == -1 && ($e == 38 || $e == 97)) { print "refused MISS", "ING $e\n" }
  else { print "$ENV{E} $r $e\n" }' "$@"; }
"#;

/// What comes before a script that is made in a sandbox: outside of one some attempts would do harm, so they are not made
/// there by mistake.
const ONLY_INSIDE: &str =
    "[ \"$(cat /proc/sys/kernel/hostname)\" = sandbox ] || { echo 'this is no sandbox'; exit 9; }";

/// Makes the attempt everywhere.
pub(crate) fn everywhere(name: &str, control: Control, script: &str) {
    for who in Who::all() {
        if let Some(why) = who.cannot() {
            println!("skipped: {name} as {who:?}: {why}");
            continue;
        }
        let machine = Machine::new(who);
        let script = inside(&machine, script);
        let shown = outputs::from_a_skill(&machine, &script, &["--sandbox", "full"]);
        held(name, "a skill's shell", who, &machine, &shown);
        let shown = runner::from_its_place(&machine, &script);
        held(name, "the runner's place", who, &machine, &shown);
    }
    if control == Control::Escapes {
        without(name, script);
    }
}

/// Makes it without a sandbox, where it has to succeed.
fn without(name: &str, script: &str) {
    let who = Who::own();
    let machine = Machine::new(who);
    let shown = outputs::from_a_skill(&machine, &whole(&machine, script), &["--sandbox", "none"]);
    if shown.text.contains(MISSING) {
        println!("skipped: {name} without a sandbox: this kernel has no such thing");
        return;
    }
    assert!(
        escaped(&machine, &shown),
        "{name} proves nothing: it fails without a sandbox too: {shown:?}"
    );
}

/// A script whose processes may keep its output: as [`inside`], but its output is not collected by a program.
pub(crate) fn uncollected(machine: &Machine, script: &str) -> String {
    format!("{ONLY_INSIDE}\n{}\necho {TRIED}", machine.fill(script))
}

/// The script as it is made in a sandbox, and nowhere else.
pub(crate) fn inside(machine: &Machine, script: &str) -> String {
    format!("{ONLY_INSIDE}\n{}", whole(machine, script))
}

/// The script with this machine's ports, paths and processes.
fn whole(machine: &Machine, script: &str) -> String {
    let script = machine.fill(script);
    format!("{PRELUDE}\n({script}\n) 2>&1 | tail -c 900\necho {TRIED}")
}

pub(crate) fn escaped(machine: &Machine, shown: &Shown) -> bool {
    shown.text.contains(ESCAPED) || shown.text.contains(&machine.canary)
}

#[track_caller]
pub(crate) fn held(name: &str, place: &str, who: Who, machine: &Machine, shown: &Shown) {
    assert!(
        shown.text.contains(TRIED),
        "{name} from {place} as {who:?} was not tried: {shown:?}"
    );
    assert!(
        !escaped(machine, shown),
        "{name} from {place} as {who:?} got out: {shown:?}"
    );
}

/// Tests that make attempts: a name, what is known of it without a sandbox, and a script.
macro_rules! attacks {
    ($($name:ident: $control:ident, $script:expr;)+) => {
        $(
            #[test]
            fn $name() {
                $crate::attack::everywhere(stringify!($name), $crate::attack::Control::$control, $script);
            }
        )+
    };
}
