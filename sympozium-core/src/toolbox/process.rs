//! What a process has to set up before it executes commands, or holds a key while others of its user run.

use std::io;

/// Prepares a process whose only children are commands (`sole` in its configuration): whatever a command leaves behind
/// becomes its child, and its memory is private. Only on Linux; elsewhere nothing happens.
pub fn prepare_process() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    keep_memory_private()
}

/// Keeps other processes of the same user from looking into this one's memory and environment; those of root still can.
/// Only on Linux; elsewhere nothing happens.
pub fn keep_memory_private() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
