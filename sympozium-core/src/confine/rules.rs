//! The rules, as data.

use serde::{Deserialize, Serialize};

/// What kind of program is held by a system call filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyscallProfile {
    /// An agent: it talks to its gateway and opens files. It never starts a program.
    Runner,
    /// An executor and its commands: whatever a shell, a compiler or an interpreter needs.
    Commands,
}

/// A system call filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyscallRules {
    /// Whom it holds.
    pub profile: SyscallProfile,
    /// Whether memory may be taken that no limit of a single process counts: `memfd_create`, shared anonymous mappings,
    /// System V segments. False where no cgroup bounds the whole.
    pub uncounted_memory: bool,
}
