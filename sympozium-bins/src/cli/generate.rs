//! `sympozium completions` and `sympozium man`: what is made from the command tree itself.

use super::args::Cli;
use super::failure::{Exit, Failure};
use super::output;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Flags of `completions`.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct CompletionsArgs {
    /// Shell that the script is for
    shell: Shell,
}

/// Flags of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder, instead of printing the main page
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints a completion script.
pub(super) fn completions(args: CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sympozium", &mut script);
    output::print_bytes(&script)
}

/// Prints the main manual page, or writes all of them.
pub(super) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::failed(format!("The manual page could not be made: {error}.")))?;
        return output::print_bytes(&page);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| {
            Failure::failed(format!(
                "The manual pages could not be written to {}: {error}.",
                dir.display()
            ))
        })?;
    Ok(Exit::Success)
}
