//! From a run's plan to every object that the cluster needs for it, and the objects of an instance that its runs rely on.
//!
//! Pure: no client, no clock. The caller finds the facts ([`RunSurroundings`]), a [`PodBuilder`] decides, and the caller
//! applies what it returns ([`RunObjects`]). `docs/reference/run-pod.md` shows the result and says where each promise
//! comes from; what the containers agree on is in [`sympozium_core::run::pod_contract`].
//!
//! | Question | Entry |
//! | --- | --- |
//! | Which objects does a run have? | [`StandardPodBuilder`] |
//! | What are they called, and how are they found again? | [`names`] |
//! | What of a pack's rules holds, and where? | [`rbac`] |
//! | Which objects does an instance have? | [`instance`] |
//! | How do a pack's documents reach its runs? | [`skills`] |

mod error;
pub mod instance;
pub mod names;
mod pod;
pub mod rbac;
mod run_objects;
pub mod skills;
mod standard;
mod surroundings;

pub use error::BuildError;
pub use run_objects::RunObjects;
pub use standard::StandardPodBuilder;
pub use surroundings::{Endpoint, Images, Installation, InstanceFacts, PullPolicy, RunSurroundings};

use sympozium_core::run::RunPlan;

/// Makes the objects of a run.
///
/// The same plan and surroundings always give the same objects: they are applied again and again, and a difference would
/// be a change. Implementations hold no client and read no clock; what they need to know besides they hold themselves.
pub trait PodBuilder: Send + Sync {
    /// All objects of the run, or why there can be none. Such a reason is final: asking again gives it again.
    fn build(&self, plan: &RunPlan, surroundings: &RunSurroundings<'_>) -> Result<RunObjects, BuildError>;
}
