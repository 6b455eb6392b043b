//! What a process gives up for good, before it runs what it does not trust: system calls by seccomp, files by Landlock.
//!
//! Both hold for the process itself and for everything that it starts, and nothing can take them back. The rules are data
//! ([`SyscallRules`], [`FileRules`]), made by pure functions and carried to the process that is to follow them.

mod rules;

pub use rules::{FileRules, SyscallProfile, SyscallRules};
