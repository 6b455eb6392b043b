//! Logging, for whoever looks into a problem: off unless asked for, and always on standard error.

use super::failure::Failure;
use tracing_subscriber::EnvFilter;

/// Begins to log what passes `filter`. Call it once per process.
pub(super) fn start(filter: &str) -> Result<(), Failure> {
    let filter: EnvFilter = EnvFilter::builder()
        .parse(filter)
        .map_err(|error| Failure::input(format!("The log filter {filter:?} is not valid: {error}.")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init()
        .map_err(|error| Failure::failed(format!("Logging could not be started: {error}.")))
}
