//! Where results come from besides the pod: the event bus, the gateway's step log, the agent's log.

mod log;
mod step_log;

pub use log::LogMarkers;
pub use step_log::StepLogResults;
