//! Which of several operators leads: one Lease (`coordination.k8s.io/v1`), as other controllers of Kubernetes use it.
//!
//! A leader renews; who sees no renewal for as long as the lease lasts, by its own clock, takes over; a leader that ends
//! gives the lease back, so that the next one need not wait. Pure: [`decide`]. The loop: [`Lead`].

mod decide;
mod hold;

pub use decide::{Move, Seen, decide};
pub use hold::{Lead, LeaseSettings};
