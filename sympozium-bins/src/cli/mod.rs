//! The `sympozium` command: flags, files and environment in, composed libraries, words and an exit code out.
//!
//! | Question | Open |
//! | --- | --- |
//! | Which commands and flags are there? | `args.rs`, and `args` of each command's folder |
//! | What is read from the environment? | `config/` |
//! | How do files become objects? | `objects/` |
//! | How does it end when something is wrong? | `failure.rs` |
//! | What does a command do? | the file or folder of its name |
//!
//! Nothing here decides what a run may do: that is `sympozium_core::policy`. Entry: [`main`].

mod args;
mod choice;
mod config;
mod crds;
mod failure;
mod gateway;
mod generate;
mod install;
mod logging;
mod memory;
mod objects;
mod output;
mod planning;
mod policy_check;
mod providers;
mod run;
mod sessions;
mod stores;

use crate::entry;
use args::{Cli, Command};
use clap::Parser;
use config::{Config, Environment};
use failure::{Exit, Failure};
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// The word before the parts of a run.
const INTERNAL: &str = "internal";
/// The agent.
const RUNNER: &str = "runner";
/// The executor of commands.
const TOOLBOX: &str = "toolbox";
/// The launcher of sandboxes.
const SANDBOX: &str = "sandbox";

/// Reads the command line of this process, does what it says, and says how it ended.
pub fn main() -> ExitCode {
    if let Some(exit) = part(std::env::args_os().skip(1)) {
        return exit;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            output::complain(&failure.to_string());
            failure.exit.into()
        }
    }
}

/// Plays a part of a run: `run` starts this very program as `sympozium internal runner|toolbox|sandbox`. No person calls these, so
/// neither help nor completions know them; and they have nothing but their own arguments, so that no environment decides
/// what they do.
fn part(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.next()? != INTERNAL {
        return None;
    }
    match arguments.next().as_deref().and_then(OsStr::to_str) {
        Some(RUNNER) => Some(entry::runner::with_arguments(arguments)),
        Some(TOOLBOX) => Some(entry::toolbox::with_arguments(arguments)),
        Some(SANDBOX) => Some(entry::sandbox::with_arguments(arguments)),
        Some(_) | None => None,
    }
}

/// Help and version are no errors; everything else that the parser has to say is bad usage.
fn usage(error: &clap::Error) -> ExitCode {
    // There is nobody to tell when the terminal itself is gone.
    let _told = error.print();
    if error.use_stderr() {
        Exit::BadInput.into()
    } else {
        Exit::Success.into()
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let config = || Config::read(&cli.global, &Environment::of_process());
    let exit = match cli.command {
        Command::Run(args) => run::command(&args, &config()?),
        Command::Gateway(args) => gateway::command(&args, &config()?),
        Command::Install(args) => install::install(&args, cli.global.database_url.as_deref()),
        Command::Uninstall(args) => install::uninstall(&args),
        Command::Status(args) => install::status(&args),
        Command::Crds => crds::command(),
        Command::Completions(args) => generate::completions(args),
        Command::Man(args) => generate::man(&args),
        Command::Version => output::print(&format!("{}\n", args::version())),
        Command::Policy(args) => policy_check::command(&args),
        Command::Sessions(args) => sessions::command(args, &config()?),
        Command::Memory(args) => memory::command(args, &config()?),
    }?;
    Ok(exit.into())
}

/// Runs a command's asynchronous part.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("The program's runtime could not be started: {error}.")))?;
    runtime.block_on(work)
}
