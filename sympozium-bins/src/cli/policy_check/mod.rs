//! `sympozium policy check`: what the policies say about a run, without starting it.
//!
//! Must not decide anything itself: every line is a verdict of `sympozium_core::policy`.

mod questions;
mod render;

use super::failure::{Exit, Failure};
use super::objects::Objects;
use super::output::{self, Format};
use clap::{Args, Subcommand};
use questions::Asked;
use std::path::PathBuf;
use url::Url;

/// `policy …`
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Print the verdict, its policy and its rule for every tool, feature and other question
    ///
    /// For each AgentRun of the files, else for a run of each SympoziumInstance, else for any run. Ends with 3 if a run
    /// would be refused. Every SympoziumPolicy of the files holds, those that a policyRef names for their instance only.
    Check(CheckArgs),
}

/// Flags of `policy check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Files as for `kubectl apply`: policies, instances, runs, skill packs; a folder, or `-` for standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Ask about this provider
    #[arg(long, value_name = "NAME", requires = "model")]
    provider: Option<String>,
    /// Ask about this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Ask whether `fetch_url` may get this page; may be repeated
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<Url>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Answers.
pub(super) fn command(args: &PolicyArgs) -> Result<Exit, Failure> {
    let PolicyCommand::Check(args) = &args.command;
    let objects = Objects::read(&args.files)?;
    let asked = Asked {
        provider: args.provider.as_deref(),
        model: args.model.as_deref(),
        urls: &args.urls,
    };
    let reports = questions::reports(&objects, &asked)?;
    match args.output {
        Format::Text => output::print(&render::text(&reports))?,
        Format::Json => output::print_json(&reports)?,
    };
    if reports.iter().any(|report| report.admitted == Some(false)) {
        Ok(Exit::Refused)
    } else {
        Ok(Exit::Success)
    }
}
