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

pub use config::{BusConfig, Config};
pub use service::serve;

use crate::service::{Service, start};
use std::process::ExitCode;

impl Service for Config {
    const NAME: &'static str = "sympozium-gateway";
    const THREADS: Option<usize> = None;

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
