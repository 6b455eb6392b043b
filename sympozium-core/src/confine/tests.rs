//! The filters, executed step by step as the kernel does it.

use super::calls::{compile, without_programs};
use super::filter::{AND, ARCH, ARCHITECTURE, ARGUMENTS, CALL, JUMP_ANY, JUMP_EQUAL, LOAD, RETURN, Verdict};
use super::{SyscallProfile, SyscallRules};
use seccompiler::sock_filter;

const COMMANDS: SyscallRules = SyscallRules {
    profile: SyscallProfile::Commands,
    uncounted_memory: true,
};
const RUNNER: SyscallRules = SyscallRules {
    profile: SyscallProfile::Runner,
    ..COMMANDS
};
const COUNTED: SyscallRules = SyscallRules {
    uncounted_memory: false,
    ..COMMANDS
};

const REFUSED: Verdict = Verdict::Fail(libc::EPERM);
const MISSING: Verdict = Verdict::Fail(libc::ENOSYS);
const NO_FAMILY: Verdict = Verdict::Fail(libc::EAFNOSUPPORT);
const NO_MEMORY: Verdict = Verdict::Fail(libc::ENOMEM);
/// The upper half of an argument, which says nothing.
const HIGH: u64 = 0xFFFF_FFFF_0000_0000;

/// Executes a filter for one call. Panics where the kernel would not take the program.
fn execute(program: &[sock_filter], architecture: u32, call: u32, arguments: [u64; 6]) -> Verdict {
    let word = |offset: u32| match offset {
        CALL => call,
        ARCH => architecture,
        _ => {
            let at = offset - ARGUMENTS;
            assert_eq!(at % 8, 0, "the low half of an argument");
            (arguments[(at / 8) as usize] & 0xFFFF_FFFF) as u32
        }
    };
    let (mut at, mut value) = (0, 0);
    loop {
        let step = &program[at];
        at += 1;
        let jumps = match step.code {
            LOAD => {
                value = word(step.k);
                continue;
            }
            AND => {
                value &= step.k;
                continue;
            }
            RETURN => return verdict(step.k),
            JUMP_EQUAL => value == step.k,
            JUMP_ANY => value & step.k != 0,
            #[cfg(target_arch = "x86_64")]
            super::filter::JUMP_NOT_LESS => value >= step.k,
            other => panic!("no such instruction: {other:#x}"),
        };
        at += usize::from(if jumps { step.jt } else { step.jf });
    }
}

fn verdict(code: u32) -> Verdict {
    match code & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_ALLOW => Verdict::Allow,
        libc::SECCOMP_RET_ERRNO => Verdict::Fail((code & libc::SECCOMP_RET_DATA).cast_signed()),
        libc::SECCOMP_RET_KILL_PROCESS => Verdict::Kill,
        other => panic!("no such verdict: {other:#x}"),
    }
}

/// What a filter says to a call with these arguments; the others, and all upper halves, hold nonsense.
#[track_caller]
fn check(program: &[sock_filter], call: i64, arguments: &[(usize, u32)], expected: Verdict) {
    for filler in [0, u64::MAX] {
        let mut all = [filler; 6];
        for &(n, value) in arguments {
            all[n] = u64::from(value) | (filler & HIGH);
        }
        let said = execute(program, ARCHITECTURE, u32::try_from(call).unwrap(), all);
        assert_eq!(said, expected, "call {call} with {arguments:x?}");
    }
}

#[test]
fn every_filter_is_one_that_the_kernel_takes() {
    let filters = [
        compile(COMMANDS),
        compile(RUNNER),
        compile(COUNTED),
        without_programs(),
    ];
    for program in filters {
        assert!(program.len() < 1024, "{}", program.len());
        for (at, step) in program.iter().enumerate() {
            // A jump of the greatest length is what a length that does not fit becomes.
            assert!(step.jt < u8::MAX && step.jf < u8::MAX, "{step:?}");
            let furthest = usize::from(step.jt.max(step.jf));
            assert!(furthest == 0 || at + 1 + furthest < program.len(), "{step:?}");
        }
        assert_eq!(program.last().map(|step| step.code), Some(RETURN));
    }
}

#[test]
fn calls_of_another_architecture_end_the_process_and_x32_has_none() {
    for program in [compile(COMMANDS), compile(RUNNER), without_programs()] {
        for other in [0x4000_0003, 0x4000_0028, 0, ARCHITECTURE ^ 1] {
            assert_eq!(execute(&program, other, 0, [0; 6]), Verdict::Kill, "{other:#x}");
        }
        #[cfg(target_arch = "x86_64")]
        for call in [libc::SYS_read, libc::SYS_mount, libc::SYS_execve, 520] {
            check(&program, call | 0x4000_0000, &[], MISSING);
        }
    }
}

#[test]
fn calls_that_change_the_machine_or_look_into_others_are_refused() {
    let refused = [
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        467,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
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
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_reboot,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_adjtimex,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_syslog,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
        libc::SYS_fanotify_init,
        libc::SYS_vhangup,
    ];
    for rules in [COMMANDS, RUNNER, COUNTED] {
        let program = compile(rules);
        for call in refused {
            check(&program, call, &[], REFUSED);
        }
        check(&program, libc::SYS_clone3, &[], MISSING);
    }
}

#[test]
fn what_programs_live_on_is_allowed() {
    let allowed = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_openat2,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_wait4,
        libc::SYS_kill,
        libc::SYS_futex,
        libc::SYS_connect,
        libc::SYS_pidfd_open,
        libc::SYS_setuid,
        libc::SYS_setresgid,
        libc::SYS_seccomp,
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_add_rule,
        libc::SYS_landlock_restrict_self,
        libc::SYS_set_mempolicy,
        libc::SYS_memfd_create,
        libc::SYS_shmget,
    ];
    for rules in [COMMANDS, RUNNER] {
        for call in allowed {
            check(&compile(rules), call, &[], Verdict::Allow);
        }
    }
}

#[test]
fn a_new_process_shares_the_namespaces_of_its_parent() {
    let program = compile(COMMANDS);
    for (flags, expected) in [
        (libc::SIGCHLD, Verdict::Allow),
        (libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, Verdict::Allow),
        (libc::CLONE_NEWUSER | libc::SIGCHLD, REFUSED),
        (libc::CLONE_NEWNS, REFUSED),
        (libc::CLONE_NEWPID, REFUSED),
        (libc::CLONE_NEWNET, REFUSED),
        (libc::CLONE_NEWIPC, REFUSED),
        (libc::CLONE_NEWUTS, REFUSED),
        (libc::CLONE_NEWCGROUP, REFUSED),
    ] {
        check(&program, libc::SYS_clone, &[(0, flags.cast_unsigned())], expected);
    }
}

#[test]
fn nobody_makes_a_program_that_runs_as_somebody_else_or_a_device() {
    let program = compile(COMMANDS);
    let created = libc::O_CREAT.cast_unsigned();
    let unnamed = libc::O_TMPFILE.cast_unsigned();
    for (mode, expected) in [
        (0o755, Verdict::Allow),
        (0o1777, Verdict::Allow),
        (0o4755, REFUSED),
        (0o2755, REFUSED),
        (0o6000, REFUSED),
    ] {
        check(&program, libc::SYS_fchmod, &[(1, mode)], expected);
        check(&program, libc::SYS_fchmodat, &[(2, mode)], expected);
        check(&program, 452, &[(2, mode)], expected);
        check(&program, libc::SYS_mkdirat, &[(2, mode)], expected);
        check(&program, libc::SYS_mknodat, &[(2, mode)], expected);
        check(&program, libc::SYS_openat, &[(2, created), (3, mode)], expected);
        check(&program, libc::SYS_openat, &[(2, unnamed), (3, mode)], expected);
        // Without a flag that creates there is no mode, and what stands there is chance.
        check(&program, libc::SYS_openat, &[(2, 0), (3, mode)], Verdict::Allow);
        #[cfg(target_arch = "x86_64")]
        {
            check(&program, libc::SYS_chmod, &[(1, mode)], expected);
            check(&program, libc::SYS_mkdir, &[(1, mode)], expected);
            check(&program, libc::SYS_creat, &[(1, mode)], expected);
            check(&program, libc::SYS_mknod, &[(1, mode)], expected);
            check(&program, libc::SYS_open, &[(1, created), (2, mode)], expected);
            check(&program, libc::SYS_open, &[(1, 0), (2, mode)], Verdict::Allow);
        }
    }
    for (kind, expected) in [
        (libc::S_IFIFO, Verdict::Allow),
        (libc::S_IFREG, Verdict::Allow),
        (libc::S_IFSOCK, Verdict::Allow),
        (libc::S_IFCHR, REFUSED),
        (libc::S_IFBLK, REFUSED),
    ] {
        check(&program, libc::SYS_mknodat, &[(2, kind | 0o644)], expected);
    }
}

#[test]
fn sockets_are_of_few_families_and_an_agents_only_of_one() {
    let stream = (1, 1 | libc::SOCK_CLOEXEC.cast_unsigned());
    for (family, commands, runner) in [
        (libc::AF_UNIX, Verdict::Allow, Verdict::Allow),
        (libc::AF_INET, Verdict::Allow, NO_FAMILY),
        (libc::AF_INET6, Verdict::Allow, NO_FAMILY),
        (libc::AF_NETLINK, Verdict::Allow, NO_FAMILY),
        (libc::AF_PACKET, NO_FAMILY, NO_FAMILY),
        (libc::AF_VSOCK, NO_FAMILY, NO_FAMILY),
        (libc::AF_ALG, NO_FAMILY, NO_FAMILY),
        (libc::AF_BLUETOOTH, NO_FAMILY, NO_FAMILY),
        (libc::AF_XDP, NO_FAMILY, NO_FAMILY),
        (libc::AF_KEY, NO_FAMILY, NO_FAMILY),
        (-1, NO_FAMILY, NO_FAMILY),
    ] {
        let arguments = [(0, family.cast_unsigned()), stream, (2, 0)];
        for call in [libc::SYS_socket, libc::SYS_socketpair] {
            check(&compile(COMMANDS), call, &arguments, commands);
            check(&compile(RUNNER), call, &arguments, runner);
        }
    }
    let commands = compile(COMMANDS);
    let (inet, netlink) = (libc::AF_INET.cast_unsigned(), libc::AF_NETLINK.cast_unsigned());
    check(
        &commands,
        libc::SYS_socket,
        &[(0, inet), (1, 10), (2, 0)],
        NO_FAMILY,
    );
    for protocol in [libc::NETLINK_NETFILTER, libc::NETLINK_KOBJECT_UEVENT] {
        let arguments = [(0, netlink), (1, 3), (2, protocol.cast_unsigned())];
        check(&commands, libc::SYS_socket, &arguments, NO_FAMILY);
    }
}

#[test]
fn terminals_take_no_input_from_programs_and_a_personality_stays() {
    let program = compile(COMMANDS);
    for (request, expected) in [
        (0x5412, REFUSED),
        (0x541C, REFUSED),
        (0x5423, REFUSED),
        (0x5401, Verdict::Allow),
        (0x5413, Verdict::Allow),
    ] {
        check(&program, libc::SYS_ioctl, &[(1, request)], expected);
    }
    for (value, expected) in [
        (0, Verdict::Allow),
        (u32::MAX, Verdict::Allow),
        (0x0004_0000, Verdict::Allow),
        (0x0040_0000, REFUSED),
        (0x0044_0000, REFUSED),
        (8, REFUSED),
    ] {
        check(&program, libc::SYS_personality, &[(0, value)], expected);
    }
}

#[test]
fn memory_that_nobody_counts_is_refused_where_nothing_bounds_the_whole() {
    let (counted, bounded) = (compile(COUNTED), compile(COMMANDS));
    for call in [
        libc::SYS_memfd_create,
        447,
        libc::SYS_shmget,
        libc::SYS_msgget,
        libc::SYS_semget,
    ] {
        check(&counted, call, &[], REFUSED);
        check(&bounded, call, &[], Verdict::Allow);
    }
    for (flags, expected) in [
        (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, Verdict::Allow),
        (
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
            Verdict::Allow,
        ),
        (libc::MAP_PRIVATE, Verdict::Allow),
        (libc::MAP_SHARED, Verdict::Allow),
        (libc::MAP_SHARED | libc::MAP_ANONYMOUS, NO_MEMORY),
        (libc::MAP_SHARED_VALIDATE | libc::MAP_ANONYMOUS, NO_MEMORY),
        (
            libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB,
            NO_MEMORY,
        ),
        (
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN,
            NO_MEMORY,
        ),
    ] {
        check(&counted, libc::SYS_mmap, &[(3, flags.cast_unsigned())], expected);
        check(
            &bounded,
            libc::SYS_mmap,
            &[(3, flags.cast_unsigned())],
            Verdict::Allow,
        );
    }
}

#[test]
fn a_process_without_programs_has_threads_only() {
    let program = without_programs();
    let thread = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
    for (call, flags, expected) in [
        (libc::SYS_clone, thread, Verdict::Allow),
        (libc::SYS_clone, libc::SIGCHLD, REFUSED),
        (libc::SYS_clone, libc::CLONE_VM | libc::CLONE_VFORK, REFUSED),
        (libc::SYS_clone3, 0, MISSING),
        (libc::SYS_execve, 0, REFUSED),
        (libc::SYS_execveat, 0, REFUSED),
        (libc::SYS_openat, 0, Verdict::Allow),
    ] {
        check(&program, call, &[(0, flags.cast_unsigned())], expected);
    }
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_fork, libc::SYS_vfork] {
        check(&program, call, &[], REFUSED);
    }
}
