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

pub use config::Config;

use crate::service::{Service, start};
use std::process::ExitCode;

impl Service for Config {
    const NAME: &'static str = "sympozium-operator";
    const THREADS: Option<usize> = Some(2);

    fn log(&self) -> &str {
        &self.log
    }

    async fn until_told(self) -> anyhow::Result<()> {
        service::until_told(self).await
    }
}

/// Runs with the process's own arguments and environment, until SIGTERM or SIGINT.
pub fn main() -> ExitCode {
    start::<Config>()
}
