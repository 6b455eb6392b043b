//! A run: what it is to be ([`RunPlan`]), where it stands ([`RunPhase`]), and who makes it happen ([`RunExecutor`]).

mod executor;
mod phase;
mod plan;
pub mod pod_contract;
mod result;
mod runner_config;
mod toolbox_config;

pub use executor::{ExecError, Observed, RunExecutor, RunPhase};
pub use phase::{Effect, Ending, RunState, STOP_GRACE, Transition, next};
pub use plan::{
    Cleanup, ForeignAgent, Limits, MemoryPlan, ModelPlan, Parent, ReplyTo, RunPlan, RunRef, SandboxPlan,
    SubagentLimits,
};
pub use result::{AgentResult, LimitHit, ResultMetrics, ResultStatus};
pub use runner_config::{FolderMount, GatewayEndpoint, RunnerConfig};
pub use toolbox_config::{FileRules, ToolboxConfig};
