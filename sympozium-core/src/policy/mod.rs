//! What a run may do, and which rule of which policy says so.
//!
//! Pure. One question, one function; every answer is a [`Verdict`] that names policy, rule and field. Several policies
//! hold at once (install-wide, namespace, instance): the answer is their intersection, and an empty list refuses.
//! Webhook, operator, gateway, runner and `sympozium policy check` all ask here.

mod model;
mod pattern;
mod verdict;

pub use model::{
    Budget, Cap, EgressHost, EgressPolicy, Feature, GateLayer, ModelRules, NetworkPolicy, Policy, PolicyName,
    PolicyOrigin, RunToolPolicy, SandboxPolicy, SkillPolicy, SubagentPolicy, ToolAction, ToolGate,
    ToolGating, ToolRule,
};
pub use pattern::{InvalidPattern, Pattern};
pub use verdict::{Decision, Outcome, Question, Verdict};
