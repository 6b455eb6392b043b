//! What is in the cluster, as far as watches tell: one watch per kind, shared by all controllers.
//!
//! A cache is a hint. That something is not in it is never taken as evidence: who needs to know asks the API server.

mod follow;
mod key;
mod pods;
mod runs;
mod store;

pub use follow::{Followed, follow};
pub use key::Key;
pub use pods::{PodChange, PodLabels, Pods};
pub use runs::{LIVE, LiveRuns};
pub use store::{Change, Store};
