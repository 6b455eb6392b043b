//! Which system calls are refused, and to whom. Pure.
//!
//! The list refuses rather than allows: commands are whatever a person's tools are, and a call that is missing on a list
//! of allowed ones breaks them in ways that nobody understands. What the calls below have in common: they change the
//! machine and not the process, look into other processes, or open a part of the kernel that has often been the way out.

use super::filter::{Case, Rule, Test, Verdict, assemble};
use super::{SyscallProfile, SyscallRules};
use seccompiler::BpfProgram;

const REFUSED: Verdict = Verdict::Fail(libc::EPERM);
/// As on a kernel that does not have the call; programs then use an older one.
const MISSING: Verdict = Verdict::Fail(libc::ENOSYS);
const NO_FAMILY: Verdict = Verdict::Fail(libc::EAFNOSUPPORT);
const NO_MEMORY: Verdict = Verdict::Fail(libc::ENOMEM);

/// Numbers that are the same everywhere and that not every C library's list has.
mod number {
    pub(super) const QUOTACTL_FD: i64 = 443;
    pub(super) const MEMFD_SECRET: i64 = 447;
    pub(super) const FCHMODAT2: i64 = 452;
    pub(super) const OPEN_TREE_ATTR: i64 = 467;
    #[cfg(target_arch = "x86_64")]
    pub(super) const KEXEC_FILE_LOAD: i64 = 320;
    #[cfg(target_arch = "aarch64")]
    pub(super) const KEXEC_FILE_LOAD: i64 = 294;
}

/// Every flag of clone(2) that asks for a namespace.
const NEW_NAMESPACES: u32 = 0x7E02_0000;
const THREAD: u32 = 0x0001_0000;
/// `S_ISUID | S_ISGID`.
const SET_ID: u32 = 0o6000;
/// `O_CREAT`, and the bit of `O_TMPFILE` that is its own. Without them a call has no mode.
const CREATES: u32 = 0o100 | 0o20_000_000;

/// The filter of a sandboxed program.
pub(super) fn compile(rules: SyscallRules) -> BpfProgram {
    let mut table = vec![
        // Those that are called often come first.
        mapping(rules.uncounted_memory),
        modes(libc::SYS_openat, Some(2), 3),
        modes(libc::SYS_fchmod, None, 1),
        modes(libc::SYS_fchmodat, None, 2),
        modes(number::FCHMODAT2, None, 2),
        modes(libc::SYS_mkdirat, None, 2),
        nodes(libc::SYS_mknodat, 2),
        refuse_if(libc::SYS_clone, &[any(0, NEW_NAMESPACES)]),
        always(libc::SYS_clone3, MISSING),
        terminals(),
        sockets(libc::SYS_socket, rules.profile),
        sockets(libc::SYS_socketpair, rules.profile),
        personality(),
    ];
    #[cfg(target_arch = "x86_64")]
    table.extend([
        modes(libc::SYS_open, Some(1), 2),
        modes(libc::SYS_creat, None, 1),
        modes(libc::SYS_chmod, None, 1),
        modes(libc::SYS_mkdir, None, 1),
        nodes(libc::SYS_mknod, 1),
    ]);
    let never = MACHINE.iter().chain(OTHERS).chain(MOUNTS);
    table.extend(never.map(|&call| always(call, REFUSED)));
    if !rules.uncounted_memory {
        table.extend(UNCOUNTED.iter().map(|&call| always(call, REFUSED)));
    }
    assemble(&table)
}

/// The filter of a process that starts nothing any more.
pub(super) fn without_programs() -> BpfProgram {
    let mut table = vec![
        Rule {
            call: libc::SYS_clone,
            cases: vec![when(vec![any(0, THREAD)], Verdict::Allow)],
            otherwise: REFUSED,
        },
        always(libc::SYS_clone3, MISSING),
        always(libc::SYS_execve, REFUSED),
        always(libc::SYS_execveat, REFUSED),
    ];
    #[cfg(target_arch = "x86_64")]
    table.extend([always(libc::SYS_fork, REFUSED), always(libc::SYS_vfork, REFUSED)]);
    assemble(&table)
}

/// What the program sees of the file system, and its namespaces.
const MOUNTS: &[i64] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    number::OPEN_TREE_ATTR,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
];

/// Other processes, their memory, files and keys, and engines inside the kernel.
const OTHERS: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
];

/// The machine itself.
const MACHINE: &[i64] = &[
    libc::SYS_kexec_load,
    number::KEXEC_FILE_LOAD,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_quotactl,
    number::QUOTACTL_FD,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
];

/// Memory that belongs to no process, so that no limit of a process sees it. Queues and semaphores hold memory too.
const UNCOUNTED: &[i64] = &[
    libc::SYS_memfd_create,
    number::MEMFD_SECRET,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
];

/// Shared anonymous memory, and mappings that count as stack, escape the limit of a process's data.
fn mapping(uncounted: bool) -> Rule {
    const ANONYMOUS: u32 = 0x20;
    const GROWS_DOWN: u32 = 0x100;
    const KIND: u32 = 0xF;
    let shared = |value| {
        let kind = Test::Is {
            argument: 3,
            mask: KIND,
            value,
        };
        when(vec![any(3, ANONYMOUS), kind], NO_MEMORY)
    };
    let cases = if uncounted {
        vec![]
    } else {
        vec![shared(1), shared(3), when(vec![any(3, GROWS_DOWN)], NO_MEMORY)]
    };
    Rule {
        call: libc::SYS_mmap,
        cases,
        otherwise: Verdict::Allow,
    }
}

/// Nobody makes programs that run as somebody else. The third of a file that is only opened is no mode.
fn modes(call: i64, flags: Option<u8>, mode: u8) -> Rule {
    let creates = flags.map(|argument| any(argument, CREATES));
    let tests: Vec<_> = creates.into_iter().chain([any(mode, SET_ID)]).collect();
    refuse_if(call, &tests)
}

/// As for modes; and no devices.
fn nodes(call: i64, mode: u8) -> Rule {
    let device = |value| {
        let kind = Test::Is {
            argument: mode,
            mask: 0o170_000,
            value,
        };
        when(vec![kind], REFUSED)
    };
    Rule {
        call,
        cases: vec![
            when(vec![any(mode, SET_ID)], REFUSED),
            device(0o020_000),
            device(0o060_000),
        ],
        otherwise: Verdict::Allow,
    }
}

/// Typing into somebody else's terminal, and line disciplines, which load parts of the kernel.
fn terminals() -> Rule {
    const SIMULATE_INPUT: u32 = 0x5412;
    const CONSOLE: u32 = 0x541C;
    const DISCIPLINE: u32 = 0x5423;
    let cases = [SIMULATE_INPUT, CONSOLE, DISCIPLINE].map(|request| when(vec![is(1, request)], REFUSED));
    Rule {
        call: libc::SYS_ioctl,
        cases: cases.to_vec(),
        otherwise: Verdict::Allow,
    }
}

/// Sockets of the few families that programs use. An agent has only its gateway, which is a socket by path; commands may
/// talk to each other by loopback, and ask for its addresses.
fn sockets(call: i64, profile: SyscallProfile) -> Rule {
    const UNIX: u32 = 1;
    const INET: u32 = 2;
    const INET6: u32 = 10;
    const NETLINK: u32 = 16;
    const ROUTE: u32 = 0;
    /// An old name for whole packets, taken with the family of the internet.
    const PACKETS: u32 = 10;
    let packets = Test::Is {
        argument: 1,
        mask: 0xF,
        value: PACKETS,
    };
    let mut cases = vec![when(vec![is(0, UNIX)], Verdict::Allow)];
    match profile {
        SyscallProfile::Runner => {}
        SyscallProfile::Commands => cases.extend([
            when(vec![is(0, INET), packets], NO_FAMILY),
            when(vec![is(0, INET)], Verdict::Allow),
            when(vec![is(0, INET6)], Verdict::Allow),
            when(vec![is(0, NETLINK), is(2, ROUTE)], Verdict::Allow),
        ]),
    }
    Rule {
        call,
        cases,
        otherwise: NO_FAMILY,
    }
}

/// Asking is fine, and so is an address space without chance, which some checkers want. Others change what the kernel does.
fn personality() -> Rule {
    const ASK: u32 = u32::MAX;
    const USUAL: u32 = 0;
    const NO_RANDOM_ADDRESSES: u32 = 0x0004_0000;
    let cases = [ASK, USUAL, NO_RANDOM_ADDRESSES].map(|value| when(vec![is(0, value)], Verdict::Allow));
    Rule {
        call: libc::SYS_personality,
        cases: cases.to_vec(),
        otherwise: REFUSED,
    }
}

fn always(call: i64, verdict: Verdict) -> Rule {
    Rule {
        call,
        cases: vec![],
        otherwise: verdict,
    }
}

fn refuse_if(call: i64, tests: &[Test]) -> Rule {
    Rule {
        call,
        cases: vec![when(tests.to_vec(), REFUSED)],
        otherwise: Verdict::Allow,
    }
}

fn when(tests: Vec<Test>, verdict: Verdict) -> Case {
    Case { tests, verdict }
}

fn is(argument: u8, value: u32) -> Test {
    Test::Is {
        argument,
        mask: u32::MAX,
        value,
    }
}

fn any(argument: u8, bits: u32) -> Test {
    Test::Any { argument, bits }
}
