//! `sympozium-runner`: the agent. Its configuration is a [`RunnerConfig`].

use super::{Threads, start};
use std::ffi::OsString;
use std::process::ExitCode;
use sympozium_llm::runner::{RunnerConfig, run};

/// Runs with the process's own arguments.
pub fn main() -> ExitCode {
    with_arguments(std::env::args_os().skip(1))
}

/// Runs with these arguments, for programs that have it as a subcommand.
pub fn with_arguments(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    start(
        ("sympozium-runner", Threads::One),
        arguments,
        async |config: RunnerConfig, cancel| run(config, cancel).await.code(),
    )
}
