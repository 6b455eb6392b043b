//! From the process's arguments to its exit code.

use super::environment::{ConfigError, of_process};
use clap::Parser;
use std::process::ExitCode;
use sympozium_core::error::chain;
use tracing_subscriber::EnvFilter;

/// The exit code for a wrong command line or environment.
const BAD_INPUT: u8 = 2;

/// A service, as far as its process has to know it.
pub(crate) trait Service: Parser {
    /// The program's name.
    const NAME: &'static str;
    /// How many threads work; `None` = as many as there are processors.
    const THREADS: Option<usize>;

    /// What is logged.
    fn log(&self) -> &str;

    /// Works until SIGTERM or SIGINT.
    fn until_told(self) -> impl Future<Output = anyhow::Result<()>>;
}

/// Runs with the process's own arguments and environment.
pub(crate) fn start<S: Service>() -> ExitCode {
    let service = match of_process::<S>() {
        Ok(service) => service,
        Err(ConfigError::Told(told)) => {
            // A page of help or a complaint, each on its own stream.
            let asked = !told.use_stderr();
            let shown = told.print().is_ok();
            return if asked && shown {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(BAD_INPUT)
            };
        }
        Err(error) => return complain(S::NAME, &chain(&error)),
    };
    let filter = match EnvFilter::builder().parse(service.log()) {
        Ok(filter) => filter,
        Err(error) => return complain(S::NAME, &format!("SYMPOZIUM_LOG {:?}: {error}", service.log())),
    };
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        // Whoever embeds this may log already.
        .unwrap_or_default();
    match work(service) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}: {error:#}", S::NAME);
            ExitCode::FAILURE
        }
    }
}

fn work<S: Service>(service: S) -> anyhow::Result<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = S::THREADS {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()?.block_on(service.until_told())
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn complain(name: &str, what: &str) -> ExitCode {
    eprintln!("{name}: {what}");
    ExitCode::from(BAD_INPUT)
}
