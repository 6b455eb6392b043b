//! What a process gives up for good, before it runs what it does not trust: system calls by seccomp, files by Landlock.
//!
//! Both hold for the process itself and for everything that it starts, and nothing can take them back. The rules are data
//! ([`SyscallRules`], [`FileRules`]), made by pure functions and carried to the process that is to follow them.
//!
//! | Function | Whom it holds |
//! | --- | --- |
//! | [`no_new_privileges`], [`restrict_files`], [`restrict_syscalls`] | the calling thread, and what it starts afterwards |
//! | [`give_up_programs`] | the whole process, with the threads that it has already |
//!
//! Only Linux has these means; elsewhere each function is an error that says so. Filters exist for x86-64 and for 64-bit
//! Arm. No function decides whether a process may go on without: that is the caller's.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod error;
#[cfg(target_os = "linux")]
mod files;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter;
#[cfg(target_os = "linux")]
mod privileges;
mod rules;
#[cfg(test)]
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests;

pub use crate::run::FileRules;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{give_up_programs, no_new_privileges, restrict_files, restrict_syscalls};
pub use error::ConfineError;
#[cfg(target_os = "linux")]
pub use files::restrict_files;
#[cfg(target_os = "linux")]
pub use privileges::{give_up_programs, no_new_privileges, restrict_syscalls};
pub use rules::{SyscallProfile, SyscallRules};
