//! What both wire formats share: one request, its refusal as an error by class, and its answer as a stream.
//!
//! | Question | Where |
//! | --- | --- |
//! | Where to and with which key? | [`Endpoint`] |
//! | What kind of failure is this? | `failure`, pure |
//! | When may it be tried again? | `retry_after`, pure |
//! | What may be shown of a provider's words? | `scrub`, pure |
//! | How do bytes become chat events? | `assembly`, pure, by a [`Decode`] of the format |
//! | How does a body become a stream of them? | `reading` |

mod assembly;
mod endpoint;
mod failure;
mod reading;
mod retry_after;
mod scrub;

pub(super) use assembly::{Assembly, Decode, ended_early, protocol};
pub(super) use endpoint::{Endpoint, Form, sub_url};
pub(super) use failure::Words;
pub(super) use scrub::Scrub;
