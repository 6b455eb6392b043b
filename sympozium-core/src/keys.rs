//! The seam to providers' keys: [`KeySource`], and the pure rule on where a key may go ([`address_of`]).

use crate::error::{BoxError, Classify, Retry};
use crate::ids::Namespace;
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;
use url::Url;

/// Names under which a Secret holds a key, whatever the provider.
const ANY_PROVIDER: [&str; 3] = ["API_KEY", "apiKey", "api-key"];

/// A Secret with a provider's key, as it is kept.
#[derive(Debug, Clone, Default)]
pub struct KeptKey {
    /// Its values by name.
    pub values: BTreeMap<String, SecretString>,
    /// The one address that its key may be sent to; `None` = the provider's public one.
    pub base_url: Option<String>,
}

impl KeptKey {
    /// The provider's key: the value under one of the provider's own names, else under one that any provider may have,
    /// else the only value.
    pub fn key(&self, names: &[&str]) -> Option<&SecretString> {
        let mut by_name = names.iter().chain(&ANY_PROVIDER);
        let only = || self.values.values().next().filter(|_| self.values.len() == 1);
        by_name.find_map(|name| self.values.get(*name)).or_else(only)
    }
}

/// Gives providers' keys, one by name. It can't list them.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The Secret of that name.
    async fn key(&self, namespace: &Namespace, secret: &str) -> Result<KeptKey, KeyError>;
}

/// Why a key could not be had or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No such Secret, or none that may be read.
    #[error("there is no Secret {namespace}/{secret} that may be read: name it in the instance's authRefs")]
    NotFound {
        /// Where.
        namespace: Namespace,
        /// Which.
        secret: String,
    },
    /// It holds no key for this provider, or none for this address.
    #[error("the Secret {secret} can't be used: {detail}")]
    Unusable {
        /// Which.
        secret: String,
        /// Why, and what to do.
        detail: String,
    },
    /// It could not be read now.
    #[error("read the Secret {namespace}/{secret}")]
    Unavailable {
        /// Where.
        namespace: Namespace,
        /// Which.
        secret: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl Classify for KeyError {
    fn retry(&self) -> Retry {
        match self {
            Self::NotFound { .. } | Self::Unusable { .. } => Retry::Never,
            Self::Unavailable { .. } => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "key-not-found",
            Self::Unusable { .. } => "key-unusable",
            Self::Unavailable { .. } => "key-unavailable",
        }
    }
}

/// Where a key is sent: the address that its Secret names, else the provider's public one (`None`).
///
/// Whoever may write a run, and not read the Secret, must not be able to have it posted to a server of their own. So an
/// address that the run `wants` has to be the same; it never widens where a key goes.
pub fn address_of(
    secret: &str,
    kept: &KeptKey,
    wants: Option<&Url>,
    public: Option<&Url>,
) -> Result<Option<Url>, KeyError> {
    let unusable = |detail: String| KeyError::Unusable {
        secret: secret.to_owned(),
        detail,
    };
    let own = kept.base_url.as_deref().filter(|text| !text.is_empty());
    let own = own.map(Url::parse).transpose().map_err(|error| {
        unusable(format!(
            "its annotation sympozium.ai/base-url is no address: {error}"
        ))
    })?;
    let known = own.as_ref().or(public);
    match (wants, known) {
        (None, _) => Ok(own),
        (Some(wanted), Some(known)) if same_address(wanted, known) => Ok(Some(wanted.clone())),
        (Some(wanted), Some(_) | None) => Err(unusable(format!(
            "its key is not for {}: annotate it with sympozium.ai/base-url to send it there",
            wanted.host_str().unwrap_or("that address")
        ))),
    }
}

/// Whether two addresses are the same but for a slash at the end.
fn same_address(one: &Url, other: &Url) -> bool {
    one.as_str().trim_end_matches('/') == other.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn kept(values: &[(&str, &str)], base_url: Option<&str>) -> KeptKey {
        KeptKey {
            values: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)))
                .collect(),
            base_url: base_url.map(str::to_owned),
        }
    }

    #[test]
    fn a_key_is_found_by_its_providers_name_then_by_a_common_one_then_if_it_is_alone() {
        for (values, expected) in [
            (vec![("OPENAI_API_KEY", "own"), ("API_KEY", "any")], Some("own")),
            (vec![("other", "x"), ("API_KEY", "any")], Some("any")),
            (vec![("whatever", "only")], Some("only")),
            (vec![("one", "x"), ("two", "y")], None),
            (vec![], None),
        ] {
            let kept = kept(&values, None);
            let found = kept.key(&["OPENAI_API_KEY"]).map(ExposeSecret::expose_secret);
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn a_key_goes_to_its_own_address_and_to_no_other() {
        let public = Url::parse("https://api.openai.com/v1").unwrap();
        let evil = "https://evil.example/v1";
        let own = "https://llm.example/v1";
        for (annotated, wanted, expected) in [
            (None, None, Ok(None)),
            (
                None,
                Some("https://api.openai.com/v1/"),
                Ok(Some("https://api.openai.com/v1/")),
            ),
            (None, Some(evil), Err(())),
            (Some(own), None, Ok(Some(own))),
            (
                Some(own),
                Some("https://llm.example/v1/"),
                Ok(Some("https://llm.example/v1/")),
            ),
            (Some(own), Some(evil), Err(())),
            (Some(own), Some("https://api.openai.com/v1"), Err(())),
            (Some(own), Some("https://llm.example/v1/../x"), Err(())),
            (Some(""), None, Ok(None)),
            (Some("no address"), None, Err(())),
        ] {
            let wants = wanted.map(|url| Url::parse(url).unwrap());
            let kept = kept(&[("k", "canary")], annotated);
            let address = address_of("s", &kept, wants.as_ref(), Some(&public));
            let address = address.map_err(|error| assert!(!error.to_string().contains("canary")));
            let expected = expected.map(|url: Option<&str>| url.map(|url| Url::parse(url).unwrap()));
            assert_eq!(address, expected, "{annotated:?} {wanted:?}");
        }
    }

    #[test]
    fn a_provider_without_a_public_address_needs_the_annotation() {
        let wanted = Url::parse("https://llm.example/v1").unwrap();
        assert!(address_of("s", &kept(&[], None), Some(&wanted), None).is_err());
        assert_eq!(address_of("s", &kept(&[], None), None, None).unwrap(), None);
    }
}
