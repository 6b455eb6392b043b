//! Refused system calls. Each is made with arguments that do nothing, and once without the filter, where it must not fail
//! in the same way.

use crate::child::{COMMANDS, COUNTED, Outcome, RUNNER, Task, has};
use sympozium_core::confine::SyscallRules;

/// Makes one system call. A word that begins with `s:` is passed as a string, others as numbers.
const CALL: &str = r#"
    sub oct_or { $_[0] =~ /^-|^[1-9]/ ? $_[0] + 0 : oct($_[0]) }
    my ($call, @words) = @ARGV;
    my @given = map { /^s:(.*)/ ? "$1" : oct_or($_) } @words;
    my $got = syscall($call + 0, @given);
    print $got == -1 ? "error " . ($! + 0) : "fine";
"#;

fn attempt(rules: Option<SyscallRules>, call: i64, arguments: &[&str]) -> Outcome {
    let call = call.to_string();
    let command = [&["perl", "-e", CALL, call.as_str()], arguments].concat();
    let task = rules.map_or_else(Task::default, Task::held_by);
    task.run(&command)
}

#[track_caller]
fn refused(rules: SyscallRules, call: i64, arguments: &[&str], errno: i32) {
    if !has("perl") {
        return;
    }
    let expected = format!("error {errno}");
    assert_eq!(attempt(Some(rules), call, arguments).said, expected);
    // Only root is told anything else by the kernel itself.
    if rustix::process::geteuid().is_root() {
        let control = attempt(None, call, arguments).said;
        assert!(
            !control.is_empty() && control != expected,
            "without the filter: {control}"
        );
    }
}

#[track_caller]
fn allowed(rules: SyscallRules, call: i64, arguments: &[&str]) {
    if has("perl") {
        assert_eq!(attempt(Some(rules), call, arguments).said, "fine");
    }
}

macro_rules! refused {
    ($($name:ident: $call:expr, [$($argument:literal),*];)*) => {$(
        #[test]
        fn $name() {
            refused(COMMANDS, $call, &[$($argument),*], libc::EPERM);
            if has("perl") {
                assert_eq!(attempt(Some(RUNNER), $call, &[$($argument),*]).said, "error 1");
            }
        }
    )*};
}

refused! {
    mount_is_refused: libc::SYS_mount, ["1", "1", "1", "0", "0"];
    umount_is_refused: libc::SYS_umount2, ["1", "0"];
    pivot_root_is_refused: libc::SYS_pivot_root, ["1", "1"];
    chroot_is_refused: libc::SYS_chroot, ["1"];
    open_tree_is_refused: libc::SYS_open_tree, ["-1", "1", "0"];
    move_mount_is_refused: libc::SYS_move_mount, ["-1", "1", "-1", "1", "0"];
    fsopen_is_refused: libc::SYS_fsopen, ["1", "0"];
    fsconfig_is_refused: libc::SYS_fsconfig, ["-1", "99", "0", "0", "0"];
    fsmount_is_refused: libc::SYS_fsmount, ["-1", "0", "0"];
    fspick_is_refused: libc::SYS_fspick, ["-1", "1", "0"];
    mount_setattr_is_refused: libc::SYS_mount_setattr, ["-1", "1", "0", "0", "0"];
    unshare_is_refused: libc::SYS_unshare, ["0"];
    setns_is_refused: libc::SYS_setns, ["-1", "0"];
    a_clone_into_a_new_namespace_is_refused: libc::SYS_clone, ["0x7E020000", "0", "0", "0", "0"];
    ptrace_is_refused: libc::SYS_ptrace, ["0", "0", "0", "0"];
    reading_another_process_is_refused: libc::SYS_process_vm_readv, ["1", "0", "0", "0", "0", "0"];
    writing_another_process_is_refused: libc::SYS_process_vm_writev, ["1", "0", "0", "0", "0", "0"];
    advising_another_process_is_refused: libc::SYS_process_madvise, ["-1", "0", "0", "0", "0"];
    comparing_processes_is_refused: libc::SYS_kcmp, ["-1", "-1", "99", "0", "0"];
    taking_another_processs_file_is_refused: libc::SYS_pidfd_getfd, ["-1", "0", "0"];
    keyctl_is_refused: libc::SYS_keyctl, ["9999", "0", "0", "0", "0"];
    add_key_is_refused: libc::SYS_add_key, ["1", "1", "0", "0", "0"];
    request_key_is_refused: libc::SYS_request_key, ["1", "1", "0", "0"];
    bpf_is_refused: libc::SYS_bpf, ["9999", "0", "0"];
    perf_events_are_refused: libc::SYS_perf_event_open, ["0", "0", "0", "0", "0"];
    setting_up_io_uring_is_refused: libc::SYS_io_uring_setup, ["0", "0"];
    entering_io_uring_is_refused: libc::SYS_io_uring_enter, ["-1", "0", "0", "0", "0", "0"];
    registering_with_io_uring_is_refused: libc::SYS_io_uring_register, ["-1", "0", "0", "0"];
    userfaultfd_is_refused: libc::SYS_userfaultfd, ["1"];
    kexec_is_refused: libc::SYS_kexec_load, ["0", "1000", "0", "0"];
    loading_a_module_is_refused: libc::SYS_init_module, ["0", "0", "0"];
    loading_a_module_from_a_file_is_refused: libc::SYS_finit_module, ["-1", "0", "0"];
    unloading_a_module_is_refused: libc::SYS_delete_module, ["1", "0"];
    swapping_on_is_refused: libc::SYS_swapon, ["1", "0"];
    swapping_off_is_refused: libc::SYS_swapoff, ["1"];
    rebooting_is_refused: libc::SYS_reboot, ["0", "0", "0", "0"];
    accounting_is_refused: libc::SYS_acct, ["1"];
    quotas_are_refused: libc::SYS_quotactl, ["-1", "1", "0", "0"];
    setting_the_clock_is_refused: libc::SYS_clock_settime, ["99", "0"];
    setting_the_day_is_refused: libc::SYS_settimeofday, ["1", "0"];
    adjusting_the_clock_is_refused: libc::SYS_adjtimex, ["1"];
    naming_the_host_is_refused: libc::SYS_sethostname, ["1", "-1"];
    naming_the_domain_is_refused: libc::SYS_setdomainname, ["1", "-1"];
    the_kernels_log_is_refused: libc::SYS_syslog, ["10", "0", "0"];
    naming_a_file_handle_is_refused: libc::SYS_name_to_handle_at, ["-1", "1", "1", "1", "0"];
    opening_a_file_handle_is_refused: libc::SYS_open_by_handle_at, ["-1", "1", "0"];
    watching_whole_file_systems_is_refused: libc::SYS_fanotify_init, ["-1", "0"];
    another_personality_is_refused: libc::SYS_personality, ["8"];
    typing_into_a_terminal_is_refused: libc::SYS_ioctl, ["-1", "0x5412", "0"];
    talking_to_the_console_is_refused: libc::SYS_ioctl, ["-1", "0x541C", "0"];
    a_line_discipline_is_refused: libc::SYS_ioctl, ["-1", "0x5423", "0"];
    a_setuid_mode_is_refused: libc::SYS_fchmod, ["-1", "04755"];
    a_setgid_mode_is_refused: libc::SYS_fchmodat, ["-1", "s:missing", "02755"];
    creating_a_setuid_file_is_refused: libc::SYS_openat, ["-1", "s:missing", "0x41", "04755"];
    a_setgid_folder_is_refused: libc::SYS_mkdirat, ["-1", "s:missing", "02755"];
    a_device_is_refused: libc::SYS_mknodat, ["-1", "s:missing", "0x2180", "0"];
}

#[cfg(target_arch = "x86_64")]
refused! {
    the_older_chmod_is_refused_too: libc::SYS_chmod, ["s:/missing", "04755"];
    the_older_open_is_refused_too: libc::SYS_open, ["s:/missing/x", "0x41", "04755"];
    ports_are_refused: libc::SYS_iopl, ["9"];
    single_ports_are_refused: libc::SYS_ioperm, ["0", "0", "1"];
    segments_are_refused: libc::SYS_modify_ldt, ["99", "0", "0"];
}

#[test]
fn clone3_is_missing_so_that_programs_take_the_older_call() {
    // Its arguments lie in memory, where no filter can look. (With this size the kernel says EINVAL.)
    refused(COMMANDS, libc::SYS_clone3, &["0", "1"], libc::ENOSYS);
}

#[test]
fn sockets_of_rare_families_are_refused() {
    // vsock, alg, packet, bluetooth, xdp.
    for family in ["40", "38", "17", "31", "44"] {
        for rules in [COMMANDS, RUNNER] {
            if has("perl") {
                let said = attempt(Some(rules), libc::SYS_socket, &[family, "3", "0"]).said;
                assert_eq!(said, format!("error {}", libc::EAFNOSUPPORT), "{family}");
            }
        }
    }
    refused(COMMANDS, libc::SYS_socket, &["17", "3", "0"], libc::EAFNOSUPPORT);
}

#[test]
fn netfilter_is_no_family_for_commands() {
    refused(COMMANDS, libc::SYS_socket, &["16", "3", "12"], libc::EAFNOSUPPORT);
}

#[test]
fn an_agent_has_no_socket_of_the_internet() {
    refused(RUNNER, libc::SYS_socket, &["2", "1", "0"], libc::EAFNOSUPPORT);
    refused(RUNNER, libc::SYS_socket, &["10", "1", "0"], libc::EAFNOSUPPORT);
    allowed(RUNNER, libc::SYS_socket, &["1", "1", "0"]);
}

#[test]
fn commands_have_sockets_of_the_internet_by_path_and_for_addresses() {
    for family in ["1", "2", "10", "16"] {
        let kind = if family == "16" { "3" } else { "1" };
        allowed(COMMANDS, libc::SYS_socket, &[family, kind, "0"]);
    }
}

#[test]
fn memory_that_nobody_counts_is_refused() {
    refused(COUNTED, libc::SYS_memfd_create, &["s:x", "0"], libc::EPERM);
    // Keys that are private and sizes that are none: nothing would be made.
    refused(COUNTED, libc::SYS_shmget, &["0", "0", "0"], libc::EPERM);
    refused(COUNTED, libc::SYS_msgget, &["77777", "0"], libc::EPERM);
    refused(COUNTED, libc::SYS_semget, &["77777", "0", "0"], libc::EPERM);
    refused(
        COUNTED,
        libc::SYS_mmap,
        &["0", "4096", "3", "0x21", "-1", "0"],
        libc::ENOMEM,
    );
    allowed(COUNTED, libc::SYS_mmap, &["0", "4096", "3", "0x22", "-1", "0"]);
    allowed(COMMANDS, libc::SYS_memfd_create, &["s:x", "0"]);
    allowed(COMMANDS, libc::SYS_mmap, &["0", "4096", "3", "0x21", "-1", "0"]);
}
