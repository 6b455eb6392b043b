//! `sympozium-runner`: the agent. Its configuration is a [`RunnerConfig`].

use super::{Threads, start};
use anyhow::Context;
use std::ffi::OsString;
use std::process::ExitCode;
use sympozium_core::toolbox::keep_memory_private;
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
        give_up,
        async |config: RunnerConfig, cancel| run(config, cancel).await.code(),
    )
}

/// An agent starts no programs, whatever a model makes it do; and nobody looks into its memory.
fn give_up() -> anyhow::Result<()> {
    keep_memory_private().context("keep memory private")?;
    #[cfg(target_os = "linux")]
    sympozium_core::confine::give_up_programs().context("an agent has to give up starting programs")?;
    Ok(())
}
