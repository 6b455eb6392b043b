//! `sympozium-sandbox`: puts a program of a run into a sandbox, by a plan. See `sympozium_core::local::sandbox`.
//!
//! No runtime, no log: a process that has threads can't enter a user namespace.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs with the process's own arguments.
pub fn main() -> ExitCode {
    with_arguments(std::env::args_os().skip(1))
}

/// Runs with these arguments, for programs that have it as a subcommand. Nothing may have been started or opened before.
#[cfg(target_os = "linux")]
pub fn with_arguments(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::from(sympozium_core::local::sandbox::main(arguments))
}

/// Says that there are none here.
#[cfg(not(target_os = "linux"))]
pub fn with_arguments(_: impl Iterator<Item = OsString>) -> ExitCode {
    use std::io::Write;
    // There is nobody to tell when standard error is closed.
    let _told = writeln!(
        std::io::stderr(),
        "sympozium-sandbox: Sandboxes exist on Linux alone."
    );
    ExitCode::from(super::BAD_INPUT)
}
