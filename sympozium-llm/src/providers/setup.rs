//! What a provider is made from, and what can be wrong with that.

use crate::http::{AddressRefused, GuardedClient, HttpSetupError, shown};
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;
use sympozium_core::error::{BoxError, Classify, Retry};
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::LlmProvider;
use url::Url;

/// Which provider, where, and with which key.
#[derive(Clone)]
pub struct ProviderSettings {
    /// The provider.
    pub name: ProviderName,
    /// Where it is; `None` = the provider's default.
    pub base_url: Option<Url>,
    /// The key, for providers that want one.
    pub api_key: Option<SecretString>,
    /// The version of Azure's API, such as `2024-10-21`; others have none and ignore it.
    pub api_version: Option<String>,
}

impl ProviderSettings {
    /// A provider at its default address, without a key.
    pub fn new(name: ProviderName) -> Self {
        Self {
            name,
            base_url: None,
            api_key: None,
            api_version: None,
        }
    }
}

impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSettings")
            .field("name", &self.name)
            .field("base_url", &self.base_url.as_ref().map(shown))
            .field("api_key", &self.api_key)
            .field("api_version", &self.api_version)
            .finish()
    }
}

/// Makes providers of one name. A closure of `build`'s form is one, for providers without an address or a key.
pub trait ProviderFactory: Send + Sync {
    /// A provider from its settings. The registry has filled in [`default_base_url`](Self::default_base_url), checked
    /// the address, and made sure that a needed key is there.
    fn build(
        &self,
        settings: ProviderSettings,
        client: &GuardedClient,
    ) -> Result<Arc<dyn LlmProvider>, SetupError>;

    /// Where the provider is when nobody says.
    fn default_base_url(&self) -> Option<Url> {
        None
    }

    /// Whether the provider asks for a key at its default address.
    fn needs_key(&self) -> bool {
        false
    }

    /// The environment variables, and keys of a Secret, under which people usually keep its key. Most usual first.
    fn key_variables(&self) -> &[&'static str] {
        &[]
    }
}

impl<F> ProviderFactory for F
where
    F: Fn(ProviderSettings, &GuardedClient) -> Result<Arc<dyn LlmProvider>, SetupError> + Send + Sync,
{
    fn build(
        &self,
        settings: ProviderSettings,
        client: &GuardedClient,
    ) -> Result<Arc<dyn LlmProvider>, SetupError> {
        self(settings, client)
    }
}

/// Why no provider could be made. Each message is one sentence that says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Nobody registered that name.
    #[error("there is no provider {name:?}; there are: {}", known.join(", "))]
    UnknownProvider {
        /// The name.
        name: String,
        /// The names that there are, sorted.
        known: Vec<String>,
    },
    /// It wants a key.
    #[error("the provider {provider} needs a key: {}", where_to_put(variables))]
    MissingKey {
        /// The provider.
        provider: ProviderName,
        /// Where people usually keep it.
        variables: Vec<&'static str>,
    },
    /// The key cannot be sent.
    #[error("the key for {provider} holds characters that cannot be sent, such as a line break")]
    InvalidKey {
        /// The provider.
        provider: ProviderName,
    },
    /// It has no default address.
    #[error("the provider {provider} needs a base URL, such as {example}")]
    MissingBaseUrl {
        /// The provider.
        provider: ProviderName,
        /// What one looks like.
        example: &'static str,
    },
    /// The address is no base to build on.
    #[error("{url} cannot be the base URL of {provider}: {detail}")]
    InvalidBaseUrl {
        /// The provider.
        provider: ProviderName,
        /// The address, without credentials and query.
        url: String,
        /// What is wrong.
        detail: &'static str,
    },
    /// The address is not allowed.
    #[error(transparent)]
    AddressRefused(#[from] AddressRefused),
    /// No HTTP client could be made.
    #[error(transparent)]
    Http(#[from] HttpSetupError),
    /// A provider of another crate could not be made.
    #[error("set up the provider {provider}")]
    Other {
        /// The provider.
        provider: ProviderName,
        /// Why.
        #[source]
        source: BoxError,
    },
}

fn where_to_put(variables: &[&'static str]) -> String {
    match variables {
        [] => "give it in a Secret".to_owned(),
        names => format!(
            "set {} in the environment, or give a Secret with that key",
            names.join(" or ")
        ),
    }
}

impl Classify for SetupError {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::UnknownProvider { .. } => "unknown-provider",
            Self::MissingKey { .. } => "missing-key",
            Self::InvalidKey { .. } => "invalid-key",
            Self::MissingBaseUrl { .. } => "missing-base-url",
            Self::InvalidBaseUrl { .. } => "invalid-base-url",
            Self::AddressRefused(refused) => refused.kind(),
            Self::Http(error) => error.kind(),
            Self::Other { .. } => "provider-setup",
        }
    }
}
