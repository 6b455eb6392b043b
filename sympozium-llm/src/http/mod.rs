//! The one way out: connections to addresses that were checked, and to no others.
//!
//! | Question | Where |
//! | --- | --- |
//! | Is this a public address? | `address`, a pure table |
//! | Is this a name of something inside? | `name`, pure |
//! | May this URL be asked for? What did a person allow besides? | [`AddressRules`], pure |
//! | Which addresses does a name have? | [`Resolve`]; [`SystemResolver`] asks the machine |
//! | The client itself | [`GuardedClient`] |
//! | A bare connection, for a tunnel | `connect` |
//!
//! A URL is checked before a request is made ([`AddressRules::check`]: scheme, credentials, the host as a name or as a
//! number). A name is looked up once per connection, by a resolver of ours, and what the connection goes to is what
//! that look-up gave and what was checked: a name that answers differently the second time gains nothing.
//!
//! Must not follow redirects (whoever follows one makes a new, checked request), must not take proxies or anything else
//! from the environment, and knows neither providers nor policies.

mod address;
mod client;
#[cfg(feature = "gateway")]
mod connect;
mod name;
mod refused;
mod resolve;
mod rules;
mod tls;

pub use address::refusal;
pub use client::{GuardedClient, HttpSetupError};
#[cfg(feature = "gateway")]
pub(crate) use connect::{ConnectError, connect};
pub use refused::AddressRefused;
pub(crate) use refused::shown;
#[cfg(feature = "gateway")]
pub(crate) use resolve::Reach;
pub use resolve::{Resolve, SystemResolver};
pub use rules::AddressRules;
