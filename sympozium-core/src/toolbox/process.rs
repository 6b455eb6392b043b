//! What a process has to set up before it executes commands.

use std::io;

/// Prepares a process whose only children are commands (`sole` in its configuration): whatever a command leaves behind
/// becomes its child, and no command can look into its memory. Only on Linux; elsewhere nothing happens.
pub fn prepare_process() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};
        set_child_subreaper(Some(getpid()))?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}
