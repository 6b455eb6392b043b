//! What of the rules of a run's packs holds, where, and as which objects.
//!
//! Pure. Rules are taken apart into single rights (group, resource, verb), each is decided alone, and the rest is put
//! together again: a pack that asks for too much keeps what it may have, and what it may not is named with its reason.
//!
//! | Where | What does not hold there |
//! | --- | --- |
//! | anywhere | `*`, the verbs escalate, bind and impersonate, Secrets |
//! | the run's own namespace | besides: writing pods and what makes pods, anything that runs a program in a pod or goes through one, ServiceAccounts, Roles, NetworkPolicies, kinds of `sympozium.ai`, writing ConfigMaps or anything that is not known to be harmless |
//! | the installation's namespace | besides: any writing |
//! | the whole cluster, and so both of these namespaces | as there, but a few kinds that are in no namespace can be written |

mod drop_reason;
mod filter;
mod grants;
mod objects;
mod right;

pub use drop_reason::{DropReason, DroppedRule};
pub use filter::{Place, refusal};
pub use grants::{Grants, grants};
pub(super) use objects::rbac_objects;
