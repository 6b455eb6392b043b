//! From a plan to the provider that serves it: the right key, the right address, and no other.

use super::choice::{Choice, SCRIPTED};
use super::config::Config;
use super::failure::Failure;
use super::objects::{Objects, read_text};
use super::planning::key_of;
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use sympozium_core::error::chain;
use sympozium_core::ids::{ProviderName, RunUid};
use sympozium_core::llm::LlmProvider;
use sympozium_core::run::RunPlan;
use sympozium_llm::gateway::{PriceTable, ProviderSource, SourceError};
use sympozium_llm::http::{AddressRules, GuardedClient};
use sympozium_llm::providers::scripted::ScriptedProvider;
use sympozium_llm::providers::{ProviderRegistry, ProviderSettings};

/// The providers of this process's runs, made before any of them begins.
#[derive(Default)]
pub(super) struct ByRun(HashMap<RunUid, Arc<dyn LlmProvider>>);

impl ByRun {
    /// Makes the provider of a run.
    pub(super) fn add(
        &mut self,
        plan: &RunPlan,
        choice: &Choice,
        objects: &Objects,
        config: &Config,
    ) -> Result<(), Failure> {
        let provider = provider(plan, choice, objects, config)?;
        self.0.insert(plan.run.uid, provider);
        Ok(())
    }
}

#[async_trait]
impl ProviderSource for ByRun {
    async fn provider(&self, plan: &RunPlan) -> Result<Arc<dyn LlmProvider>, SourceError> {
        let found = self.0.get(&plan.run.uid).cloned();
        found.ok_or_else(|| SourceError::Unknown(plan.model.provider.clone()))
    }
}

fn provider(
    plan: &RunPlan,
    choice: &Choice,
    objects: &Objects,
    config: &Config,
) -> Result<Arc<dyn LlmProvider>, Failure> {
    let name = &plan.model.provider;
    if name.as_str() == SCRIPTED {
        return scripted(name, choice);
    }
    let registry = ProviderRegistry::standard();
    let public = registry.default_base_url(name);
    let key = key_of(
        plan,
        objects,
        &config.providers,
        choice.base_url.as_ref(),
        public.as_ref(),
    )?;
    let mut rules = AddressRules::public_only();
    // Whoever runs this on their own machine chose the address, whatever it is.
    if let Some(address) = &key.base_url {
        rules = rules.allow_url(address);
    }
    let client = GuardedClient::new(rules).map_err(|error| Failure::failed(sentence(&error)))?;
    let settings = ProviderSettings {
        base_url: key.base_url,
        api_key: key.secret,
        api_version: key.api_version,
        ..ProviderSettings::new(name.clone())
    };
    registry
        .build(settings, &client)
        .map_err(|error| Failure::input(sentence(&error)))
}

fn scripted(name: &ProviderName, choice: &Choice) -> Result<Arc<dyn LlmProvider>, Failure> {
    let Some(script) = &choice.script else {
        return Err(Failure::input(
            "The provider scripted plays a scenario: name its file with --script.",
        ));
    };
    let provider = ScriptedProvider::from_yaml(name.clone(), script)
        .map_err(|error| Failure::input(format!("The script can't be played: {}.", chain(&error))))?;
    Ok(Arc::new(provider))
}

/// What models cost, from a file.
pub(super) fn prices(path: Option<&Path>) -> Result<PriceTable, Failure> {
    let Some(path) = path else {
        return Ok(PriceTable::default());
    };
    let text = read_text(path)?;
    serde_saphyr::from_str(&text).map_err(|error| {
        let text = error.without_snippet().to_string();
        let first = text.lines().next().unwrap_or_default().to_owned();
        Failure::input(format!("{}: {first}.", path.display()))
    })
}

/// An error and its causes, as a sentence.
fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let text = chain(error);
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
