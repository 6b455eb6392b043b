//! `sympozium-toolbox`: the executor of one skill's commands. Its configuration is a [`ToolboxConfig`].

use super::{Threads, start};
use anyhow::Context;
use std::ffi::OsString;
use std::process::ExitCode;
use sympozium_core::error::chain;
use sympozium_core::toolbox::{Toolbox, ToolboxConfig, end_strays, keep_memory_private, prepare_process};

/// Runs with the process's own arguments.
pub fn main() -> ExitCode {
    with_arguments(std::env::args_os().skip(1))
}

/// Runs with these arguments, for programs that have it as a subcommand.
pub fn with_arguments(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    start(
        ("sympozium-toolbox", Threads::Few),
        arguments,
        || keep_memory_private().context("keep memory private"),
        async |config: ToolboxConfig, cancel| {
            let sole = config.sole;
            if sole && let Err(error) = prepare_process() {
                tracing::error!("prepare the executor: {error}");
                return 1;
            }
            let ended = Toolbox::new(config).run(cancel).await;
            if sole {
                end_strays();
            }
            match ended {
                Ok(()) => 0,
                Err(error) => {
                    tracing::error!("the executor ended: {}", chain(&error));
                    1
                }
            }
        },
    )
}
