//! The program of the agent container: asks the gateway what to do, works, leaves the result.

mod exit;
#[cfg(test)]
mod fake_gateway;
mod gateway_client;
mod given_files;

pub use exit::RunnerExit;
pub use gateway_client::{GatewayClient, GatewayEndpoint, GatewayError};
pub use given_files::GivenFileError;
