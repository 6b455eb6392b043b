//! A table of decisions about system calls, and the program for the kernel that it becomes. Pure.
//!
//! Only the low half of an argument is looked at: every argument that a table asks about is an `int`, a mode or a set of
//! flags, of which the kernel itself reads no more.

use seccompiler::{BpfProgram, sock_filter};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made.
    Allow,
    /// It fails with this error number.
    Fail(i32),
    /// The process ends.
    Kill,
}

/// Something about one argument.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    /// Its bits under the mask are these.
    Is { argument: u8, mask: u32, value: u32 },
    /// At least one of these bits is set.
    Any { argument: u8, bits: u32 },
}

/// The verdict where all tests hold.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) tests: Vec<Test>,
    pub(super) verdict: Verdict,
}

/// What is decided about one call: by the first case that holds, else as said.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) call: i64,
    pub(super) cases: Vec<Case>,
    pub(super) otherwise: Verdict,
}

/// The architecture whose call numbers the table has, as the kernel names it.
#[cfg(target_arch = "x86_64")]
pub(super) const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
pub(super) const ARCHITECTURE: u32 = 0xC000_00B7;

/// Numbers from here on are x32 calls: the same calls once more, under other numbers.
#[cfg(target_arch = "x86_64")]
pub(super) const X32: u32 = 0x4000_0000;

// Instructions, see linux/bpf_common.h.
pub(super) const LOAD: u16 = 0x20;
pub(super) const AND: u16 = 0x54;
pub(super) const JUMP_EQUAL: u16 = 0x15;
#[cfg(target_arch = "x86_64")]
pub(super) const JUMP_NOT_LESS: u16 = 0x35;
pub(super) const JUMP_ANY: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;

// Offsets in `struct seccomp_data`.
pub(super) const CALL: u32 = 0;
pub(super) const ARCH: u32 = 4;
pub(super) const ARGUMENTS: u32 = 16;

/// The program. Calls that no rule names are allowed.
pub(super) fn assemble(rules: &[Rule]) -> BpfProgram {
    let mut program = vec![
        step(LOAD, ARCH),
        jump(JUMP_EQUAL, ARCHITECTURE, 1, 0),
        done(Verdict::Kill),
        step(LOAD, CALL),
    ];
    #[cfg(target_arch = "x86_64")]
    program.extend([jump(JUMP_NOT_LESS, X32, 0, 1), done(Verdict::Fail(libc::ENOSYS))]);
    for rule in rules {
        // Every way through a rule's body ends in a verdict, so the call's number stays loaded for the next rule.
        let body = body(rule);
        program.push(jump(JUMP_EQUAL, low(rule.call), 0, length(&body)));
        program.extend(body);
    }
    program.push(done(Verdict::Allow));
    program
}

fn body(rule: &Rule) -> BpfProgram {
    let mut body: BpfProgram = rule.cases.iter().flat_map(case).collect();
    body.push(done(rule.otherwise));
    body
}

/// One case, from its end backwards: a test that does not hold skips the rest.
fn case(case: &Case) -> BpfProgram {
    let mut rest = vec![done(case.verdict)];
    for test in case.tests.iter().rev() {
        let skip = length(&rest);
        let mut steps = match *test {
            Test::Is {
                argument,
                mask: u32::MAX,
                value,
            } => vec![load(argument), jump(JUMP_EQUAL, value, 0, skip)],
            Test::Is {
                argument,
                mask,
                value,
            } => vec![load(argument), step(AND, mask), jump(JUMP_EQUAL, value, 0, skip)],
            Test::Any { argument, bits } => vec![load(argument), jump(JUMP_ANY, bits, 0, skip)],
        };
        steps.append(&mut rest);
        rest = steps;
    }
    rest
}

fn load(argument: u8) -> sock_filter {
    step(LOAD, ARGUMENTS + 8 * u32::from(argument))
}

fn done(verdict: Verdict) -> sock_filter {
    let code = match verdict {
        Verdict::Allow => libc::SECCOMP_RET_ALLOW,
        Verdict::Fail(errno) => libc::SECCOMP_RET_ERRNO | (errno.unsigned_abs() & libc::SECCOMP_RET_DATA),
        Verdict::Kill => libc::SECCOMP_RET_KILL_PROCESS,
    };
    step(RETURN, code)
}

fn step(code: u16, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// How far to jump over these steps. A test holds that no table needs more than a jump can do.
fn length(steps: &[sock_filter]) -> u8 {
    u8::try_from(steps.len()).unwrap_or(u8::MAX)
}

/// The number as the kernel compares it. Call numbers are small.
fn low(call: i64) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}
