//! The program of the agent container: asks the gateway what to do, works, leaves the result.
//!
//! [`run`] puts it together: the agent loop over a [`GatewayClient`], file tools in a jail, commands and letters through
//! the mailbox, questions to people, the live stream, the result. It holds no key, and reads no environment.
//!
//! **Being killed.** A runner that is killed and started again with the same configuration goes the same way. The gateway
//! replays the turns that it has; the journal, in the runner's own folder, has the answers of tool calls; an executor
//! answers an id that it knows with the recorded result; receipts and people's answers lie in the mailbox.

mod approver;
mod exit;
#[cfg(test)]
mod fake_gateway;
mod finish;
mod gateway_client;
mod given_files;
mod journal;
mod stream;
mod surroundings;
mod work;
#[cfg(test)]
mod work_tests;

pub use exit::RunnerExit;
pub use gateway_client::{GatewayClient, GatewayEndpoint, GatewayError};
pub use given_files::GivenFileError;
pub use sympozium_core::run::RunnerConfig;
pub use work::run;
