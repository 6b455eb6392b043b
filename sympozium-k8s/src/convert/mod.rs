//! From objects, as people write them, to the plan of a run.
//!
//! Pure. Everything that is wrong is collected and named by object and field path ([`Problem`]); what a policy says that
//! changes nothing is a [`Note`]. Entries: [`plan()`], [`policy()`], [`skill()`];
//! [`run_request`] is what a plan asks of policies.

mod bounds;
mod model;
mod plan;
mod policy;
mod problem;
mod sandbox;
mod shelf;
mod skills;

pub use model::provider_of_model;
pub use plan::{KeySecret, MEMORY_ANNOTATION, PlanInputs, plan};
pub use policy::{Note, NoteReason, PolicyReading, policy};
pub use problem::{InvalidObjects, Problem};
pub use sandbox::{run_request, sandbox_request};
pub use shelf::{ConfigMapSkills, PackEntry};
pub use skills::skill;
