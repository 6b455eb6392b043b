//! The refusal of an address.

use std::error::Error;
use sympozium_core::error::{Classify, Retry};
use url::Url;

/// An address that nothing may be asked for at, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address of {url} is not allowed: {detail}")]
pub struct AddressRefused {
    /// Where to, without credentials, query and fragment. Just the host when a look-up led to the refusal.
    pub url: String,
    /// Which rule, as a phrase: `10.0.0.1 is a private address`.
    pub detail: String,
}

impl AddressRefused {
    pub(super) fn new(url: &Url, detail: impl Into<String>) -> Self {
        Self {
            url: shown(url),
            detail: detail.into(),
        }
    }

    /// A refusal of a host alone.
    #[cfg(feature = "gateway")]
    pub(super) fn of_host(host: &str, detail: impl Into<String>) -> Self {
        Self {
            url: host.to_owned(),
            detail: detail.into(),
        }
    }

    /// The refusal behind an error of a request, if that is what failed it.
    ///
    /// The addresses of a name are checked while connecting, so their refusal comes as the source of the client's error.
    pub fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(refused) = error.downcast_ref::<Self>() {
                return Some(refused);
            }
            next = error.source();
        }
        None
    }
}

impl Classify for AddressRefused {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        "address-refused"
    }
}

/// A URL as it may be shown: credentials, query and fragment can hold secrets.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither can fail to be cleared where there was one to clear.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}
