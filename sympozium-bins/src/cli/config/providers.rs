//! What the environment says about model providers: keys, and the addresses that they are for.

use super::super::failure::Failure;
use super::Environment;
use secrecy::SecretString;
use url::Url;

/// What is known of one provider.
#[derive(Debug, Clone)]
pub(in crate::cli) struct ProviderFacts {
    /// The provider's name.
    pub(in crate::cli) name: &'static str,
    /// The variable that holds its key.
    pub(in crate::cli) key_variable: &'static str,
    /// Its key.
    pub(in crate::cli) key: Option<SecretString>,
    /// Its address, when the environment names one: then the key is for that address.
    pub(in crate::cli) base_url: Option<Url>,
    /// The version of its interface, where it wants one.
    pub(in crate::cli) api_version: Option<String>,
}

/// What is known of each provider that has a key, in the order in which they are chosen when nobody says which.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct ProviderNames(Vec<ProviderFacts>);

/// Name, key, address, version.
const KNOWN: [(&str, &str, &str, Option<&str>); 3] = [
    ("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", None),
    ("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", None),
    (
        "azure-openai",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
        Some("AZURE_OPENAI_API_VERSION"),
    ),
];

impl ProviderNames {
    pub(super) fn read(environment: &Environment) -> Result<Self, Failure> {
        let read = |(name, key_variable, url_variable, version): (_, _, _, Option<_>)| {
            Ok(ProviderFacts {
                name,
                key_variable,
                key: environment.text(key_variable)?.map(SecretString::from),
                base_url: environment
                    .text(url_variable)?
                    .map(|given| address(url_variable, &given))
                    .transpose()?,
                api_version: version
                    .map(|version| environment.text(version))
                    .transpose()?
                    .flatten(),
            })
        };
        KNOWN.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What is known of this provider; `None` for one that has no variables of its own.
    pub(in crate::cli) fn of(&self, name: &str) -> Option<&ProviderFacts> {
        self.0.iter().find(|facts| facts.name == name)
    }

    /// The first provider that has a key.
    pub(in crate::cli) fn first_with_key(&self) -> Option<&ProviderFacts> {
        self.0.iter().find(|facts| facts.key.is_some())
    }
}

/// An address of a provider. `origin` names where the text comes from.
pub(in crate::cli) fn address(origin: &str, text: &str) -> Result<Url, Failure> {
    let wrong = |what: &str| Failure::input(format!("{origin}: {text:?} {what}."));
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not an address ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("must be an http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::input(format!(
            "{origin} must not hold a user name or password."
        )));
    }
    Ok(url)
}
