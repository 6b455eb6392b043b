//! From flags and documents to run plans, and what the policies say about each.
//!
//! Pure: no file, no environment, no clock; UIDs are the caller's. Entry: [`plans`].

mod key;
mod plan;
mod runs;
mod wishes;

pub(super) use key::{key_of, provider_of};
pub(super) use plan::{Planned, plans};
pub(super) use wishes::{Sources, Wishes};
