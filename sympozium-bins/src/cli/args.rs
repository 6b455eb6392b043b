//! The command line: which commands there are, and which flags all of them know.

use super::gateway::GatewayArgs;
use super::generate::{CompletionsArgs, ManArgs};
use super::install::{InstallArgs, StatusArgs, UninstallArgs};
use super::memory::MemoryArgs;
use super::policy_check::PolicyArgs;
use super::run::RunArgs;
use super::sessions::SessionsArgs;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs AI agents where they can do no harm.
///
/// Exit codes: 0 success, 1 failure, 2 bad input, 3 refused by a policy or budget, 4 out of time, 130 cancelled.
#[derive(Debug, Parser)]
#[command(name = "sympozium", version, propagate_version = true, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct GlobalArgs {
    /// Folder for sessions, memory and runs [env: SYMPOZIUM_DATA_DIR] [default: sympozium in the user's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Database: a file for SQLite, or postgres://… [env: DATABASE_URL] [default: sympozium.db in the data folder]
    #[arg(long, global = true, value_name = "URL")]
    pub(super) database_url: Option<String>,
    /// What to log to standard error, such as `info` or `sympozium_llm=debug` [env: SYMPOZIUM_LOG]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(super) log: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run an agent on this machine
    Run(RunArgs),
    /// Serve the model gateway by itself
    Gateway(GatewayArgs),
    /// Look at stored conversations, or delete them
    Sessions(SessionsArgs),
    /// Look at what an instance remembers, or change it
    Memory(MemoryArgs),
    /// Ask what policies say
    Policy(PolicyArgs),
    /// Install Sympozium in a cluster, or upgrade it there
    Install(Box<InstallArgs>),
    /// Remove Sympozium from a cluster
    Uninstall(UninstallArgs),
    /// Say what of an installation runs, and what is wrong with it
    Status(StatusArgs),
    /// Print the custom resource definitions, for `kubectl apply -f -`
    Crds,
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
    /// Print the version
    Version,
}

/// The program's name and version.
pub(super) fn version() -> String {
    format!("sympozium {}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
