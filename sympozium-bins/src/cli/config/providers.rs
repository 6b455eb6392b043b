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
    /// Its key says by itself that this provider is meant. That of a server of one's own does not.
    chooses: bool,
}

/// What is known of each provider that has a key, in the order in which they are chosen when nobody says which.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct ProviderNames(Vec<ProviderFacts>);

/// The variables of a provider.
struct Variables {
    name: &'static str,
    key: &'static str,
    address: Option<&'static str>,
    version: Option<&'static str>,
}

impl Variables {
    const fn new(name: &'static str, key: &'static str, address: Option<&'static str>) -> Self {
        Self {
            name,
            key,
            address,
            version: None,
        }
    }
}

/// In the order in which keys choose a provider. The last three are for servers of one's own, whose addresses the
/// person gives.
const KNOWN: [Variables; 6] = [
    Variables::new("openai", "OPENAI_API_KEY", Some("OPENAI_BASE_URL")),
    Variables::new("anthropic", "ANTHROPIC_API_KEY", Some("ANTHROPIC_BASE_URL")),
    Variables {
        version: Some("AZURE_OPENAI_API_VERSION"),
        ..Variables::new(
            "azure-openai",
            "AZURE_OPENAI_API_KEY",
            Some("AZURE_OPENAI_ENDPOINT"),
        )
    },
    Variables::new("ollama", "OLLAMA_API_KEY", None),
    Variables::new("custom", "API_KEY", None),
    Variables::new("openai-compatible", "API_KEY", None),
];

impl ProviderNames {
    pub(super) fn read(environment: &Environment) -> Result<Self, Failure> {
        let text = |variable: Option<&'static str>| match variable {
            Some(variable) => environment.text(variable),
            None => Ok(None),
        };
        let read = |of: Variables| {
            Ok(ProviderFacts {
                name: of.name,
                key_variable: of.key,
                key: text(Some(of.key))?.map(SecretString::from),
                base_url: text(of.address)?
                    .map(|given| address(of.address.unwrap_or_default(), &given))
                    .transpose()?,
                api_version: text(of.version)?,
                chooses: of.address.is_some(),
            })
        };
        KNOWN.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What is known of this provider; `None` for one that has no variables of its own.
    pub(in crate::cli) fn of(&self, name: &str) -> Option<&ProviderFacts> {
        self.0.iter().find(|facts| facts.name == name)
    }

    /// The first provider that has a key, and is meant when nobody says which.
    pub(in crate::cli) fn first_with_key(&self) -> Option<&ProviderFacts> {
        self.0.iter().find(|facts| facts.chooses && facts.key.is_some())
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
