//! The project's own commands: `cargo xtask <command>`. `cargo xtask help` lists them.
//!
//! Every check that the continuous build makes is one command here, so that it runs the same way on any machine. This
//! program only calls cargo, git and the tools it names; it holds no part of the product. Entry: [`main`].

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks by printing"
)]

mod bench;
mod ci;
mod cluster;
mod commands;
mod counts;
mod deny;
mod deps;
mod docs_check;
mod features;
mod fuzz;
mod images;
mod install;
mod lint;
mod manifests;
mod package;
mod programs;
mod repo;
mod stage;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| String::from("help"));
    let rest: Vec<String> = args.collect();
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", commands::list());
        return ExitCode::SUCCESS;
    }
    let Some(command) = commands::find(&name) else {
        eprint!("There is no command {name:?}.\n\n{}", commands::list());
        return ExitCode::from(2);
    };
    match (command.run)(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
