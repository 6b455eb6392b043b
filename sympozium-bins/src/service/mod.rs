//! What the services of an installation have in common: flags and environment with nothing misspelt, a log, an exit code.
//!
//! | Question | Where |
//! | --- | --- |
//! | what may stand in the environment? | `environment`, pure |
//! | how does a service start, and what does its exit code say? | `start` |

mod environment;
mod start;

#[cfg(test)]
pub(crate) use environment::variables;
pub(crate) use start::{Service, start};
