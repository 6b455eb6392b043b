//! `sympozium-operator`: the five controllers as a service of a cluster.
//!
//! Composition only: a client of the cluster that the process finds itself in, a lease so that several may be started, and
//! health and metrics over HTTP.
//!
//! | Question | Where |
//! | --- | --- |
//! | what do flags and environment say? | `config`, pure |
//! | what is put together, in which order does it start and end? | `service` |
//! | how do others see how it is? | `health` |

mod config;
mod health;
mod service;

pub use config::{Config, ConfigError};

use std::process::ExitCode;
use sympozium_core::error::chain;
use tracing_subscriber::EnvFilter;

/// The exit code for a wrong command line or environment.
const BAD_INPUT: u8 = 2;

/// Runs with the process's own arguments and environment, until SIGTERM or SIGINT.
pub fn main() -> ExitCode {
    let config = match Config::of_process() {
        Ok(config) => config,
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
        Err(error) => return complain(&chain(&error), BAD_INPUT),
    };
    let filter = match EnvFilter::builder().parse(&config.log) {
        Ok(filter) => filter,
        Err(error) => return complain(&format!("SYMPOZIUM_LOG {:?}: {error}", config.log), BAD_INPUT),
    };
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        // Whoever embeds this may log already.
        .unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let ended = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(service::until_told(config)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("sympozium-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn complain(what: &str, code: u8) -> ExitCode {
    eprintln!("sympozium-operator: {what}");
    ExitCode::from(code)
}
