//! Who calls: from a pod's token to the run that it speaks for.
//!
//! A projected token is reviewed by the API server; which run it speaks for follows from the UID of the pod that it is
//! bound to, which must be the one that the run's status names, while that run goes on. Names prove nothing: whoever may
//! edit a namespace can have a token made for any of its ServiceAccounts, but not one that is bound to a run's pod.
//!
//! | Question | Where |
//! | --- | --- |
//! | is it worth a review? | `claims`, pure |
//! | what did the review say? | `subject`, pure |
//! | does the run of that pod go on? | `standing`, pure |
//! | what was reviewed a moment ago? who asks too much? | `memory`, `rate`, pure but for the time that they are told |
//! | asking the API server | `review` |
//! | all together, for gateway and bus | [`TokenReviewAuthenticator`] |
//! | which runs there are, and what they may do | [`LiveRuns`] |
//! | providers' keys | [`SecretKeys`] |

mod authenticator;
mod bus;
mod claims;
mod keys;
mod live;
mod memory;
mod rate;
mod review;
mod standing;
mod subject;

pub use authenticator::{AuthenticatorSettings, TokenReviewAuthenticator};
pub use bus::{BusCaller, BusPart};
pub use keys::SecretKeys;
pub use live::{Ended, LiveRuns, LiveSettings};
