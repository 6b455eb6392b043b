//! Privileges and system calls, by prctl(2) and seccomp(2).

use super::{ConfineError, SyscallRules};

/// Nothing that the calling thread executes from now on can give it more rights: setuid bits and file capabilities count
/// for nothing.
pub fn no_new_privileges() -> Result<(), ConfineError> {
    rustix::thread::set_no_new_privs(true).map_err(|error| ConfineError::Privileges(error.into()))
}

/// Refuses the calling thread, and what it starts afterwards, system calls that no agent and no command needs.
///
/// Refused calls fail with an error, so that a program which only tries goes on. Calls of a foreign architecture, whose
/// numbers mean something else, end the process.
pub fn restrict_syscalls(rules: &SyscallRules) -> Result<(), ConfineError> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return seccompiler::apply_filter(&super::calls::compile(*rules)).map_err(refused("the sandbox"));
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = rules;
        Err(ConfineError::Unsupported {
            what: "restricting system calls",
        })
    }
}

/// The whole process can start no program and no other process from now on; threads it still can.
///
/// For a process that reads what strangers wrote and has no business with other programs. Holds threads that are there
/// already, too.
pub fn give_up_programs() -> Result<(), ConfineError> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return seccompiler::apply_filter_all_threads(&super::calls::without_programs())
        .map_err(refused("giving up programs"));
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    Err(ConfineError::Unsupported {
        what: "giving up programs",
    })
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn refused(what: &'static str) -> impl Fn(seccompiler::Error) -> ConfineError {
    move |source| ConfineError::Filter {
        what,
        source: source.into(),
    }
}
