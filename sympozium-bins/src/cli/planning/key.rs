//! Which key goes to which address. Pure: a key is never sent to an address that it was not given for.

use crate::cli::config::ProviderNames;
use crate::cli::failure::Failure;
use crate::cli::objects::{Objects, in_namespace, name_of};
use secrecy::SecretString;
use sympozium_core::run::RunPlan;
use sympozium_k8s::documents::Secret;
use url::Url;

/// Names under which a Secret holds a key, whatever the provider.
const ANY_PROVIDER: [&str; 3] = ["API_KEY", "apiKey", "api-key"];

/// Names under which a Secret holds a provider's key.
const OF_PROVIDER: [(&str, &str); 3] = [
    ("openai", "OPENAI_API_KEY"),
    ("anthropic", "ANTHROPIC_API_KEY"),
    ("azure-openai", "AZURE_OPENAI_API_KEY"),
];

/// A provider's key, address and version for one run.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Key {
    /// The key; `None` when there is none.
    pub(in crate::cli) secret: Option<SecretString>,
    /// The address; `None` = the provider's own.
    pub(in crate::cli) base_url: Option<Url>,
    /// The version of the provider's interface, if one was given.
    pub(in crate::cli) api_version: Option<String>,
}

/// The provider that a Secret's key is for, told from the name of its value.
pub(in crate::cli) fn provider_of(secret: &Secret) -> Option<&'static str> {
    OF_PROVIDER
        .iter()
        .find(|(_, name)| secret.values.contains_key(*name))
        .map(|(provider, _)| *provider)
}

/// The key of a run: that of its Secret, else the environment's if it is for the run's address.
///
/// `by_person` is the address that a person gave on the command line or in the environment, `public` the provider's
/// own; the environment's key is for these, and for the address that stands beside it in the environment.
pub(in crate::cli) fn key_of(
    plan: &RunPlan,
    objects: &Objects,
    environment: &ProviderNames,
    by_person: Option<&Url>,
    public: Option<&Url>,
) -> Result<Key, Failure> {
    let provider = plan.model.provider.as_str();
    let facts = environment.of(provider);
    let api_version = facts.and_then(|facts| facts.api_version.clone());
    if let Some(name) = &plan.model.secret {
        return Ok(Key {
            secret: Some(of_secret(plan, objects, name)?),
            base_url: plan.model.base_url.clone(),
            api_version,
        });
    }
    let Some(facts) = facts else {
        return Ok(Key {
            base_url: plan.model.base_url.clone(),
            ..Key::default()
        });
    };
    let Some(address) = &plan.model.base_url else {
        return Ok(Key {
            secret: facts.key.clone(),
            base_url: facts.base_url.clone(),
            api_version,
        });
    };
    let is_for = [by_person, public, facts.base_url.as_ref()]
        .into_iter()
        .flatten()
        .any(|known| same_address(known, address));
    if facts.key.is_some() && !is_for {
        return Err(Failure::input(format!(
            "The key in {} was not given for {address}: add --base-url {address} to send it there.",
            facts.key_variable
        )));
    }
    Ok(Key {
        secret: facts.key.clone(),
        base_url: Some(address.clone()),
        api_version,
    })
}

fn of_secret(plan: &RunPlan, objects: &Objects, name: &str) -> Result<SecretString, Failure> {
    let namespace = plan.run.namespace.as_str();
    let found = objects
        .secrets
        .iter()
        .map(|given| &given.object)
        .find(|secret| name_of(&secret.metadata) == name && in_namespace(&secret.metadata, namespace));
    let secret = found.ok_or_else(|| Failure::input(format!("There is no Secret {name:?} in the files.")))?;
    let provider = plan.model.provider.as_str();
    let own = OF_PROVIDER
        .iter()
        .filter(|(of, _)| *of == provider)
        .map(|(_, key)| *key);
    let by_name = own.chain(ANY_PROVIDER).find_map(|key| secret.values.get(key));
    let only = || secret.values.values().next().filter(|_| secret.values.len() == 1);
    by_name.or_else(only).cloned().ok_or_else(|| {
        Failure::input(format!(
            "Secret {name}: there is no value that is a key for {provider}: name it {}.",
            OF_PROVIDER
                .iter()
                .find(|(of, _)| *of == provider)
                .map_or("API_KEY", |(_, key)| key)
        ))
    })
}

/// Whether two addresses are the same but for a slash at the end.
fn same_address(one: &Url, other: &Url) -> bool {
    one.as_str().trim_end_matches('/') == other.as_str().trim_end_matches('/')
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
