//! What a run may do, and which rule of which policy says so.
//!
//! Pure. One question, one function; every answer is a [`Verdict`] that names policy, rule and field. Several policies
//! hold at once (install-wide, namespace, instance): the answer is their intersection, and an empty list refuses.
//! Webhook, operator, gateway, runner and `sympozium policy check` all ask here.

mod budget;
mod decide;
mod finding;
mod model;
mod network;
mod pattern;
mod request;
mod sandbox;
mod subagents;
mod tools;
mod verdict;

pub use budget::charges;
pub use decide::{decide, decide_budget, decide_feature, decide_network, decide_skills};
pub use model::{
    Budget, Cap, EgressHost, EgressPolicy, Feature, GateLayer, ModelRules, NetworkPolicy, Policy, PolicyName,
    PolicyOrigin, RunToolPolicy, SandboxPolicy, SkillPolicy, SubagentPolicy, ToolAction, ToolGate,
    ToolGating, ToolRule,
};
pub use network::{EgressVerdict, decide_egress, decide_image, decide_model, decide_sidecar_egress};
pub use pattern::{InvalidPattern, Pattern};
pub use request::{RunRequest, SandboxRequest};
pub use sandbox::{SandboxCeiling, decide_sandbox, sandbox_ceiling};
pub use subagents::{decide_subagents, max_concurrent};
pub use tools::{TOOL_FEATURES, decide_tool};
pub use verdict::{Decision, Outcome, Question, Verdict};
