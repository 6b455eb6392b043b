//! What both wire formats share: one request, its refusal as an error by class, and its answer as a stream.
//!
//! | Question | Where |
//! | --- | --- |
//! | Where to and with which key? | [`Endpoint`] |
//! | When may it be tried again? | `retry_after`, pure |
//! | How does a body become a stream of chat events? | `reading`, through `decode` |

mod endpoint;
mod reading;
mod retry_after;

pub(super) use endpoint::{Endpoint, Form, sub_url};
