//! Providers by name.

use super::setup::{ProviderFactory, ProviderSettings, SetupError};
use crate::http::GuardedClient;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use sympozium_core::ids::{InvalidId, ProviderName};
use sympozium_core::llm::LlmProvider;
use url::Url;

/// Makes providers by name. The place at which a crate adds its own.
///
/// ```
/// # use std::sync::Arc;
/// # use sympozium_core::{ids::ProviderName, llm::LlmProvider, testing::FakeProvider};
/// # use sympozium_llm::http::{AddressRules, GuardedClient};
/// # use sympozium_llm::providers::{ProviderRegistry, ProviderSettings};
/// let mut registry = ProviderRegistry::standard();
/// let acme = ProviderName::new("acme").unwrap();
/// registry.register(acme.clone(), |settings: ProviderSettings, _: &GuardedClient| {
///     Ok(Arc::new(FakeProvider::new(settings.name, [])) as Arc<dyn LlmProvider>)
/// });
/// let client = GuardedClient::new(AddressRules::public_only()).unwrap();
/// let provider = registry.build(ProviderSettings::new(acme), &client).unwrap();
/// assert_eq!(provider.name().as_str(), "acme");
/// ```
#[derive(Clone, Default)]
pub struct ProviderRegistry {
    factories: BTreeMap<ProviderName, Arc<dyn ProviderFactory>>,
}

impl ProviderRegistry {
    /// A registry without any provider.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Everything that this crate was built with and that a name, an address and a key suffice for.
    pub fn standard() -> Self {
        let mut registry = Self::empty();
        // The names are constants, which a test holds to be names.
        if registry.add_standard().is_err() {
            tracing::error!("a standard provider has no valid name");
        }
        registry
    }

    #[cfg_attr(
        not(any(feature = "openai", feature = "anthropic")),
        expect(
            clippy::unused_self,
            clippy::unnecessary_wraps,
            reason = "there is nothing to add"
        )
    )]
    fn add_standard(&mut self) -> Result<(), InvalidId> {
        #[cfg(feature = "openai")]
        {
            use super::openai::ChatCompletions;
            self.register(ProviderName::new("openai")?, ChatCompletions::OPENAI);
            self.register(ProviderName::new("azure-openai")?, ChatCompletions::AZURE);
            self.register(ProviderName::new("ollama")?, ChatCompletions::OLLAMA);
            self.register(
                ProviderName::new("openai-compatible")?,
                ChatCompletions::COMPATIBLE,
            );
            self.register(ProviderName::new("custom")?, ChatCompletions::COMPATIBLE);
        }
        #[cfg(feature = "anthropic")]
        self.register(ProviderName::new("anthropic")?, super::anthropic::Messages);
        Ok(())
    }

    /// Adds a provider, in place of any other of that name.
    pub fn register(&mut self, name: ProviderName, factory: impl ProviderFactory + 'static) -> &mut Self {
        self.factories.insert(name, Arc::new(factory));
        self
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &ProviderName> {
        self.factories.keys()
    }

    /// Where a provider is when nobody says; `None` also for an unknown one.
    pub fn default_base_url(&self, name: &ProviderName) -> Option<Url> {
        self.factories.get(name)?.default_base_url()
    }

    /// Whether a provider wants a key at this address (`None` = its default). At an address of somebody's own, only a
    /// provider without a default insists on one.
    pub fn needs_key(&self, name: &ProviderName, base_url: Option<&Url>) -> bool {
        self.factories
            .get(name)
            .is_some_and(|factory| wants_key(factory.as_ref(), base_url))
    }

    /// The environment variables, and keys of a Secret, under which people usually keep this provider's key.
    pub fn key_variables(&self, name: &ProviderName) -> &[&'static str] {
        self.factories
            .get(name)
            .map_or(&[], |factory| factory.key_variables())
    }

    /// A provider. Its address must be one that the client's rules allow; a provider's own default address was chosen
    /// by whoever registered it and counts as listed.
    pub fn build(
        &self,
        mut settings: ProviderSettings,
        client: &GuardedClient,
    ) -> Result<Arc<dyn LlmProvider>, SetupError> {
        let Some(factory) = self.factories.get(&settings.name) else {
            return Err(SetupError::UnknownProvider {
                name: settings.name.to_string(),
                known: self.names().map(ToString::to_string).collect(),
            });
        };
        if settings.api_key.is_none() && wants_key(factory.as_ref(), settings.base_url.as_ref()) {
            return Err(SetupError::MissingKey {
                provider: settings.name,
                variables: factory.key_variables().to_vec(),
            });
        }
        if let Some(own) = &settings.base_url {
            client.rules().check(own)?;
            return factory.build(settings, client);
        }
        settings.base_url = factory.default_base_url();
        match &settings.base_url {
            Some(default) if client.rules().check(default).is_err() => {
                let rules = client.rules().clone().allow_url(default);
                factory.build(settings, &client.with_rules(rules)?)
            }
            _ => factory.build(settings, client),
        }
    }
}

fn wants_key(factory: &dyn ProviderFactory, base_url: Option<&Url>) -> bool {
    let is_default = match (base_url, factory.default_base_url()) {
        (Some(own), Some(default)) => own.host() == default.host(),
        (None, _) | (Some(_), None) => true,
    };
    factory.needs_key() && is_default
}

impl fmt::Debug for ProviderRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProviderRegistry")
            .field(&self.factories.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
#[cfg(all(feature = "openai", feature = "anthropic"))]
mod tests {
    use super::*;
    use crate::http::AddressRules;
    use secrecy::SecretString;

    fn name(text: &str) -> ProviderName {
        ProviderName::new(text).unwrap()
    }

    fn settings(provider: &str, base_url: Option<&str>, key: Option<&str>) -> ProviderSettings {
        ProviderSettings {
            base_url: base_url.map(|url| Url::parse(url).unwrap()),
            api_key: key.map(SecretString::from),
            ..ProviderSettings::new(name(provider))
        }
    }

    fn build(provider: &str, base_url: Option<&str>, key: Option<&str>) -> Result<(), String> {
        let client = GuardedClient::new(AddressRules::public_only()).unwrap();
        ProviderRegistry::standard()
            .build(settings(provider, base_url, key), &client)
            .map(|built| assert_eq!(built.name().as_str(), provider))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_standard_registry_has_every_provider() {
        let registry = ProviderRegistry::standard();
        let names: Vec<_> = registry.names().map(ProviderName::as_str).collect();
        assert_eq!(
            names,
            [
                "anthropic",
                "azure-openai",
                "custom",
                "ollama",
                "openai",
                "openai-compatible"
            ]
        );
    }

    #[test]
    fn an_unknown_provider_is_answered_with_the_known_ones() {
        assert_eq!(
            build("opnai", None, None).unwrap_err(),
            "there is no provider \"opnai\"; there are: anthropic, azure-openai, custom, ollama, openai, \
             openai-compatible"
        );
    }

    #[test]
    fn a_missing_key_is_answered_with_where_to_put_it() {
        assert_eq!(
            build("openai", None, None).unwrap_err(),
            "the provider openai needs a key: set OPENAI_API_KEY in the environment, or give a Secret with that key"
        );
        assert!(
            build("anthropic", None, None)
                .unwrap_err()
                .contains("ANTHROPIC_API_KEY")
        );
        assert!(
            build("azure-openai", Some("https://r.openai.azure.com"), None)
                .unwrap_err()
                .contains("AZURE_OPENAI_API_KEY")
        );
        assert!(build("openai", Some("https://api.openai.com/v1"), None).is_err());
    }

    #[test]
    fn servers_of_ones_own_and_ollama_need_no_key() {
        assert_eq!(build("openai", Some("https://llm.example.com/v1"), None), Ok(()));
        assert_eq!(build("anthropic", Some("https://llm.example.com"), None), Ok(()));
        assert_eq!(build("custom", Some("https://llm.example.com/v1"), None), Ok(()));
        assert_eq!(build("ollama", None, None), Ok(()));
    }

    #[test]
    fn a_missing_base_url_is_answered_with_an_example() {
        assert_eq!(
            build("custom", None, None).unwrap_err(),
            "the provider custom needs a base URL, such as https://llm.example.com/v1"
        );
        assert_eq!(
            build("azure-openai", None, Some("k")).unwrap_err(),
            "the provider azure-openai needs a base URL, such as https://RESOURCE.openai.azure.com"
        );
    }

    #[test]
    fn an_address_inside_is_refused_unless_it_is_the_providers_default_or_listed() {
        for inside in [
            "http://localhost:11434/v1",
            "http://10.0.0.1/v1",
            "http://169.254.169.254/",
        ] {
            for provider in ["ollama", "openai", "custom", "anthropic"] {
                let error = build(provider, Some(inside), Some("k")).unwrap_err();
                assert!(error.contains("is not allowed"), "{provider} {inside}: {error}");
            }
        }
        let listed = AddressRules::public_only().allow("10.0.0.1", 80);
        let client = GuardedClient::new(listed).unwrap();
        let asked = settings("custom", Some("http://10.0.0.1/v1"), None);
        assert!(ProviderRegistry::standard().build(asked, &client).is_ok());
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_being_shown() {
        let error = build("openai", None, Some("sk-canary\n")).unwrap_err();
        assert!(error.contains("cannot be sent"), "{error}");
        assert!(!error.contains("canary"));
    }

    #[test]
    fn settings_show_neither_key_nor_credentials() {
        let shown = format!(
            "{:?}",
            settings(
                "openai",
                Some("https://u:canary@h.example/?k=canary"),
                Some("canary")
            )
        );
        assert!(!shown.contains("canary"), "{shown}");
    }
}
