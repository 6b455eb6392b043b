//! `sympozium-gateway`: the model gateway as a service of a cluster.
//!
//! Composition only: tokens are reviewed by the API server, runs and policies come by watch, keys from Secrets, budgets and
//! sessions are in PostgreSQL, and everything is served over TLS with the installation's own certificate.
//!
//! | Question | Where |
//! | --- | --- |
//! | what do flags and environment say? | `config`, pure |
//! | who answers the bus's questions about tokens? | `bus` |
//! | what is put together, in which order does it start and end? | `service` |

mod bus;
mod config;
mod service;

pub use config::{BusConfig, Config, ConfigError};
pub use service::serve;

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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(service::until_told(config)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("sympozium-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn complain(what: &str, code: u8) -> ExitCode {
    eprintln!("sympozium-gateway: {what}");
    ExitCode::from(code)
}
