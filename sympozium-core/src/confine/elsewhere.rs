//! Where the system has none of these means.

use super::{ConfineError, FileRules, SyscallRules};

/// Always an error here: only Linux has it.
pub fn no_new_privileges() -> Result<(), ConfineError> {
    Err(unsupported("giving up new privileges"))
}

/// Always an error here: only Linux has it.
pub fn restrict_files(_rules: &FileRules) -> Result<Option<u32>, ConfineError> {
    Err(unsupported("restricting files"))
}

/// Always an error here: only Linux has it.
pub fn restrict_syscalls(_rules: &SyscallRules) -> Result<(), ConfineError> {
    Err(unsupported("restricting system calls"))
}

/// Always an error here: only Linux has it.
pub fn give_up_programs() -> Result<(), ConfineError> {
    Err(unsupported("giving up programs"))
}

fn unsupported(what: &'static str) -> ConfineError {
    ConfineError::Unsupported { what }
}
