//! The program of the agent container: asks the gateway what to do, works, leaves the result.

#[cfg(test)]
mod fake_gateway;
mod gateway_client;

pub use gateway_client::{GatewayClient, GatewayEndpoint, GatewayError};
